import pytest
import torch
from scipy.stats import chisquare

from memcom_rank.data import RankingDataset
from memcom_rank.data.batches import BatchKey, QueryBatches, TrainBatches
from tests.data.tiny import grades, write_tables

HISTORIES = [[2, 3, 4, 5], [3], [], list(range(2, 32)), [9, 8]]
PAIRS = [(0, 3, 2, 0.5), (0, 5, 4, 0.75), (3, 31, 2, 1.0), (3, 30, 2, 2.0), (3, 29, 2, 3.0), (4, 9, 8, 0.25)]
VALIDATION, TEST = {0: [6], 2: [3, 1]}, {0: [7, 8, 9], 1: [2], 2: [4], 3: [40]}
NUM_GAMES = 50


@pytest.fixture
def dataset(tmp_path):
    return RankingDataset(
        write_tables(tmp_path, histories=HISTORIES, validation=VALIDATION, test=TEST, pairs=PAIRS, num_games=NUM_GAMES)
    )


def steps(dataset, **changes):
    negatives = {"num_negatives": 20, "negative_power": 0.0, "in_batch": False}
    options = {"keep_share": (0.3, 0.9), "latest": False, "max_history": 100, "num_graded": 3, "forget_share": 0.0}
    return TrainBatches(dataset, **{**negatives, **options, **changes})


ROWS = torch.tensor([3, 0, 4, 1, 2, 3])


def same(first, second):
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(first, second, strict=True))


def games(ids):
    return sorted(game for game in ids.tolist() if game)


@pytest.mark.parametrize("seed", range(5))
def test_history_and_held_games_are_the_users_own_and_apart(dataset, seed):
    batch = steps(dataset)[BatchKey(ROWS, seed)]
    for place, row in enumerate(ROWS.tolist()):
        assert sorted(games(batch.history[place]) + games(batch.held[place])) == sorted(HISTORIES[row])


def test_owned_games_are_all_of_a_users_own_whatever_is_cut_or_forgotten(dataset):
    batch = steps(dataset, max_history=3, forget_share=0.5)[BatchKey(ROWS, 1)]
    assert (batch.history == 1).any()
    for place, row in enumerate(ROWS.tolist()):
        assert games(batch.owned[place]) == sorted(HISTORIES[row])


def test_without_negatives_there_are_none(dataset):
    batch = steps(dataset, num_negatives=0)[BatchKey(ROWS, 1)]
    assert batch.negatives.shape == (0,)
    assert batch.real.shape == (len(ROWS), 0)


def test_negatives_come_from_where_the_options_say(dataset):
    """By popularity only games that are played; in the batch exactly those that are hidden; both together."""
    played = {game for history in HISTORIES for game in history}
    drawn = steps(dataset, num_negatives=500, negative_power=1.0)[BatchKey(ROWS, 1)]
    assert set(drawn.negatives.tolist()) == played
    hidden = steps(dataset, num_negatives=0, in_batch=True)[BatchKey(ROWS, 1)]
    assert set(hidden.negatives.tolist()) == set(games(hidden.held.flatten()))
    both = steps(dataset, num_negatives=NUM_GAMES, in_batch=True)[BatchKey(ROWS, 1)]
    assert sorted(both.negatives.tolist()) == list(range(2, 2 + NUM_GAMES))
    assert both.log_q.tolist() == [0.0] * NUM_GAMES


@pytest.mark.parametrize("seed", range(20))
def test_of_a_long_history_distinct_games_are_taken(dataset, seed):
    batch = steps(dataset, max_history=7)[BatchKey(ROWS, seed)]
    assert batch.history.shape == batch.held.shape == (6, 7)
    for place, row in enumerate(ROWS.tolist()):
        taken = games(batch.history[place]) + games(batch.held[place])
        assert len(set(taken)) == len(taken) == min(len(HISTORIES[row]), 7)
        assert set(taken) <= set(HISTORIES[row])


def test_every_game_of_a_long_history_is_taken_about_as_often(dataset):
    taken = steps(dataset, max_history=10, keep_share=(1.0, 1.0))[BatchKey(torch.full((6000,), 3), 1)].history
    assert chisquare(torch.bincount(taken.flatten(), minlength=32)[2:].numpy()).pvalue > 0.01
    assert torch.equal(taken, taken.sort(1).values)  # in the history's order


def test_negatives_are_checked_against_the_whole_history(dataset):
    """Also against games that the step does not use."""
    batch = steps(dataset, max_history=2)[BatchKey(ROWS, 1)]
    assert batch.negatives.shape == (20,)
    for place, row in enumerate(ROWS.tolist()):
        wanted = [game not in HISTORIES[row] for game in batch.negatives.tolist()]
        assert batch.real[place].tolist() == wanted


def test_graded_pairs_are_the_users_own_uniform_and_with_their_weights(dataset):
    batch = steps(dataset, num_graded=3000)[BatchKey(ROWS, 1)]
    for place, row in enumerate(ROWS.tolist()):
        drawn = list(
            zip(
                batch.preferred[place].tolist(), batch.other[place].tolist(), batch.weights[place].tolist(), strict=True
            )
        )
        own = [pair[1:] for pair in PAIRS if pair[0] == row]
        if not own:
            assert set(drawn) == {(0, 0, 0.0)}
            continue
        assert set(drawn) == set(own)
        if len(own) > 1:
            assert chisquare([drawn.count(pair) for pair in own]).pvalue > 0.01


def test_no_graded_pairs_where_the_dataset_has_none(tmp_path):
    data = RankingDataset(write_tables(tmp_path, histories=[[2, 3]]))
    batch = steps(data, num_graded=4)[BatchKey(torch.tensor([0]), 1)]
    assert batch.preferred.shape == batch.other.shape == batch.weights.shape == (1, 0)


def test_unknown_games_are_seen_and_never_wanted(dataset):
    batch = steps(dataset, forget_share=0.5)[BatchKey(ROWS, 1)]
    assert (batch.history == 1).any()
    assert not any((ids == 1).any() for ids in (batch.held, batch.negatives, batch.preferred, batch.other))


def test_a_step_follows_from_its_key(dataset):
    one, again, other = (steps(dataset)[BatchKey(ROWS, seed)] for seed in (1, 1, 2))
    assert same(one, again)
    assert not torch.equal(one.negatives, other.negatives)
    assert not torch.equal(one.history, other.history)
    assert one.seed != other.seed


def test_types_of_a_step(dataset):
    batch = steps(dataset)[BatchKey(ROWS, 1)]
    for ids in (batch.history, batch.held, batch.owned, batch.negatives, batch.preferred, batch.other):
        assert ids.dtype == torch.int64
    assert (batch.real.dtype, batch.weights.dtype, batch.log_q.dtype) == (torch.bool, torch.float32, torch.float32)
    assert batch.real.shape == (6, 20)
    assert batch.log_q.shape == (20,)
    assert 0 <= batch.seed < 2**63


@pytest.mark.parametrize(("split", "held_out"), [("validation", VALIDATION), ("test", TEST)])
def test_query_batches_are_the_split(dataset, split, held_out):
    batches = QueryBatches(dataset.queries(split))
    batch = batches[BatchKey(torch.arange(len(held_out)).flip(0), 0)]
    for place, row in enumerate(batch.rows.tolist()):
        seen = HISTORIES[row] + (VALIDATION.get(row, []) if split == "test" else [])
        assert games(batch.history[place]) == sorted(seen)
        assert games(batch.targets[place]) == sorted(held_out[row])
        assert games(batch.grades[place]) == sorted(grades(held_out[row]))
    assert sorted(batch.rows.tolist()) == sorted(held_out)


def test_order_puts_equal_lengths_together(dataset):
    queries = dataset.queries("test")
    order = QueryBatches(queries).order()
    found = [(len(TEST[row]), int(queries.histories.lengths[at])) for at in order for row in [int(queries.rows[at])]]
    assert found == sorted(found)
    assert sorted(order.tolist()) == list(range(4))


def test_nobody_to_ask_is_an_empty_order(tmp_path):
    data = RankingDataset(write_tables(tmp_path, histories=[[2, 3]]))
    assert QueryBatches(data.queries("test")).order().tolist() == []


def test_the_latest_are_hidden_in_the_order_of_the_history(dataset):
    step = steps(dataset, latest=True)[BatchKey(torch.tensor([3]), 5)]
    seen, hidden = (ids[ids != 0].tolist() for ids in (step.history, step.held))
    assert seen + hidden == HISTORIES[3]
    assert 9 <= len(seen) <= 27
