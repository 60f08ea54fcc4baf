import itertools
import math

import pytest
import torch

from memcom_rank.contract.errors import ConfigError, DatasetError
from memcom_rank.metrics import TargetRanks, rank_targets, top_games
from memcom_rank.metrics.target_ranks import expected_weights
from tests.metrics.conftest import make_world


def slow_ranks(world):
    """Count above and tied candidates for each target, one comparison at a time."""
    above, tied = torch.zeros_like(world.targets_BT), torch.zeros_like(world.targets_BT)
    for user, targets in enumerate(world.targets_BT.tolist()):
        row = world.scores_BV[user].tolist()
        for t, target in enumerate(targets):
            if target >= 2:
                above[user, t] = sum(row[i] > row[target] for i in world.candidates(user))
                tied[user, t] = sum(row[i] == row[target] for i in world.candidates(user))
    return above, tied


def test_ranks_equal_counting_by_hand(any_world):
    world = any_world
    before = world.scores_BV.clone()
    ranks = rank_targets(*world)
    above, tied = slow_ranks(world)
    assert torch.equal(ranks.above_BT, above)
    assert torch.equal(ranks.tied_BT, tied)
    assert torch.equal(ranks.found_BT, world.targets_BT >= 2)
    assert torch.equal(ranks.present_BT, world.targets_BT >= 1)
    assert torch.equal(ranks.gains_BT, world.grades_BT.double())
    assert torch.equal(world.scores_BV, before)


def test_padding_unknown_and_seen_never_stand_above():
    scores = torch.tensor([[9.0, 9.0, 1.0, 9.0, 2.0]])
    ranks = rank_targets(scores, torch.tensor([[2]]), torch.tensor([[1]]), torch.tensor([[3, 0]]))
    assert ranks.above_BT.item() == 1
    assert ranks.tied_BT.item() == 1


def test_a_score_of_minus_infinity_does_not_tie_with_seen_games():
    scores = torch.tensor([[0.0, 0.0, -torch.inf, 5.0, 6.0]])
    ranks = rank_targets(scores, torch.tensor([[2]]), torch.tensor([[1]]), torch.tensor([[3]]))
    assert (ranks.above_BT.item(), ranks.tied_BT.item()) == (1, 1)


def test_half_precision_scores_rank_as_their_fp32_values(tied_world):
    half = tied_world._replace(scores_BV=tied_world.scores_BV.bfloat16())
    for seen, wanted in zip(rank_targets(*half), rank_targets(*tied_world), strict=True):
        assert torch.equal(seen, wanted)


def test_no_target_columns_and_no_users():
    empty = torch.zeros(2, 0, dtype=torch.int64)
    ranks = rank_targets(torch.rand(2, 5), empty, empty, empty)
    assert ranks.above_BT.shape == (2, 0)
    assert expected_weights(ranks, torch.ones_like, None).shape == (2, 0)
    none = torch.zeros(0, 1, dtype=torch.int64)
    assert rank_targets(torch.rand(0, 5), none, none, none).above_BT.shape == (0, 1)


def test_nan_scores_are_refused_but_not_at_padding_and_unknown():
    scores = torch.zeros(1, 5)
    ids = torch.tensor([[2]])
    scores[0, :2] = torch.nan
    rank_targets(scores, ids, ids, torch.tensor([[3]]))
    scores[0, 4] = torch.nan
    with pytest.raises(ConfigError, match="diverged"):
        rank_targets(scores, ids, ids, torch.tensor([[3]]))
    with pytest.raises(ConfigError, match="diverged"):
        top_games(scores, torch.tensor([[3]]), 2)


def test_a_target_among_the_seen_games_is_refused():
    targets = torch.tensor([[2, 0], [3, 4]])
    with pytest.raises(DatasetError, match="game id 4 is also in the history of user 1"):
        rank_targets(torch.zeros(2, 6), targets, targets, torch.tensor([[3, 0], [4, 0]]))


def test_top_games_equal_sorting(plain_world):
    ids_Bk, scores_Bk = top_games(plain_world.scores_BV, plain_world.seen_BL, 20)
    for user in range(len(ids_Bk)):
        row = plain_world.scores_BV[user].tolist()
        wanted = sorted(plain_world.candidates(user), key=lambda i: -row[i])
        missing = 20 - len(wanted)
        assert ids_Bk[user].tolist() == wanted + [0] * missing
        assert scores_Bk[user].tolist() == [row[i] for i in wanted] + [-math.inf] * missing


def test_top_games_keeps_the_k_best(plain_world):
    everything, _ = top_games(plain_world.scores_BV, plain_world.seen_BL, 20)
    best, _ = top_games(plain_world.scores_BV, plain_world.seen_BL, 3)
    assert torch.equal(best, everything[:, :3])


@pytest.mark.parametrize("k", [1, 2, 3, None])
def test_expected_weight_is_the_mean_over_all_orders_of_tied_games(k):
    # games x (target), a, b tied below c
    scores = {"c": 2, "x": 1, "a": 1, "b": 1}
    weights = []
    for order in itertools.permutations(scores):
        if sorted(order, key=lambda game: -scores[game]) == list(order):  # stable sort: order among equals is kept
            position = order.index("x") + 1
            weights.append(1 / position if k is None or position <= k else 0.0)
    one = torch.ones(1, 1, dtype=torch.int64)
    ranks = TargetRanks(one, 3 * one, one.bool(), one.bool(), one.double())
    value = expected_weights(ranks, torch.reciprocal, k).item()
    assert value == pytest.approx(sum(weights) / len(weights), abs=1e-12)


@pytest.mark.parametrize("k", [1, 3, None])
def test_a_tied_user_beside_does_not_change_the_weights_of_others(plain_world, k):
    alone = expected_weights(rank_targets(*plain_world), torch.reciprocal, k)
    tied = make_world(1, ties=True, unknown=True)
    both = expected_weights(
        rank_targets(*(torch.cat(parts) for parts in zip(plain_world, tied, strict=True))), torch.reciprocal, k
    )
    torch.testing.assert_close(both[: len(alone)], alone, rtol=0, atol=1e-12)
