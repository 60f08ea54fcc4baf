import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from memcom_rank.data.negatives import Negatives, distinct

POPULARITY = torch.tensor([40, 20, 10, 10, 5, 4, 3, 2, 1, 1, 1, 1])
NOBODY = torch.zeros(1, 1, dtype=torch.int64)
WAYS = {
    "uniform": {"count": 4, "power": 0.0, "in_batch": False},
    "more than there are": {"count": 99, "power": 0.0, "in_batch": False},
    "popularity": {"count": 4, "power": 1.0, "in_batch": False},
    "its root": {"count": 30, "power": 0.5, "in_batch": False},
    "in-batch": {"count": 0, "power": 0.0, "in_batch": True},
    "mixed": {"count": 4, "power": 0.0, "in_batch": True},
    "mixed, by popularity": {"count": 4, "power": 0.75, "in_batch": True},
    "none": {"count": 0, "power": 0.0, "in_batch": False},
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def padded(lists):
    longest = max(map(len, lists), default=0) + 1
    return torch.tensor([games + [0] * (longest - len(games)) for games in lists], dtype=torch.int64).view(-1, longest)


users = st.lists(st.lists(st.integers(2, 13), max_size=13, unique=True), min_size=1, max_size=6)


@every_way
@given(owned=users, hidden=st.randoms(use_true_random=False), seed=st.integers(0, 2**32))
def test_no_training_game_of_a_user_is_its_negative_and_every_other_candidate_is(way, owned, hidden, seed):
    held = [[game for game in games if hidden.random() < 0.5] for games in owned]
    made = Negatives(POPULARITY, **way)
    negatives, real, log_q = made.draw(padded(held), padded(owned), source(seed))
    games = negatives.tolist()
    assert len(set(games)) == len(games)
    assert set(games) <= set(range(2, 14))  # neither padding nor the unknown game
    assert real.tolist() == [[game not in own for game in games] for own in owned]
    assert real.dtype == torch.bool
    assert (negatives.dtype, log_q.dtype) == (torch.int64, torch.float32)
    assert log_q.shape == negatives.shape
    assert ((-math.inf < log_q) & (log_q <= 0)).all()
    if way["in_batch"]:
        assert {game for games in held for game in games} <= set(games)
    if not way["power"]:
        drawn = min(way["count"], 12)
        most = drawn + way["in_batch"] * len({game for games in held for game in games})
        assert drawn <= len(games) <= most


def test_a_user_who_has_every_game_has_no_negative():
    everything = torch.arange(2, 14)[None]
    for way in WAYS.values():
        assert not Negatives(POPULARITY, **way).draw(everything, everything, source())[1].any()


def test_as_many_draws_as_games_are_the_catalogue_at_log_q_zero():
    for count in (12, 13, 500):
        made = Negatives(POPULARITY, count=count, power=0.0, in_batch=False)
        negatives, _, log_q = made.draw(NOBODY, NOBODY, source())
        assert sorted(negatives.tolist()) == list(range(2, 14))
        assert log_q.tolist() == [0.0] * 12


def test_the_only_game_is_certain_by_any_way():
    for way in WAYS.values():
        _, _, log_q = Negatives(torch.tensor([3]), **way).draw(torch.tensor([[2]]), torch.tensor([[2]]), source())
        assert log_q.tolist() == [0.0] * (way["count"] > 0 or way["in_batch"])


def test_in_batch_without_hidden_games_there_is_no_candidate():
    negatives, real, log_q = Negatives(POPULARITY, **WAYS["in-batch"]).draw(NOBODY, NOBODY, source())
    assert (len(negatives), real.shape, len(log_q)) == (0, (1, 0), 0)


def test_log_q_is_exact_for_rare_games():
    """With p = 1e-9, 1 - (1 - p)^K done plainly is 0 in fp32 and loses half of its digits in fp64."""
    popularity = torch.tensor([10**9 - 1, 1])
    made = Negatives(popularity, count=50, power=1.0, in_batch=True)
    negatives, _, log_q = made.draw(torch.tensor([[3, 3]]), NOBODY, source())
    assert negatives.tolist() == [2, 3]
    assert log_q[1].item() == pytest.approx(math.log(52e-9), rel=1e-6)


# ---- distributions, at fixed seeds ----

STEPS = 4000


def frequencies(made, held=lambda step: NOBODY):
    """How often each game is a candidate, and the log q that it was given, the same whenever it was."""
    often, told = torch.zeros(len(made.share_G)), {}
    for step in range(STEPS):
        negatives, _, log_q = made.draw(held(step), NOBODY, source(step))
        often[negatives - 2] += 1
        for game, value in zip((negatives - 2).tolist(), log_q.tolist(), strict=True):
            assert told.setdefault(game, value) == value
    return often.tolist(), [math.exp(told[game]) if game in told else None for game in range(len(often))]


def hidden_by_popularity(step):
    return 2 + torch.multinomial(POPULARITY.float(), 6, replacement=True, generator=source(10**6 + step))[None]


@pytest.mark.parametrize("name", ["uniform", "popularity", "its root", "in-batch", "mixed", "mixed, by popularity"])
def test_log_q_is_how_often_a_game_is_a_candidate(name):
    often, told = frequencies(Negatives(POPULARITY, **WAYS[name]), hidden_by_popularity)
    for count, q in zip(often, told, strict=True):
        assert binomtest(int(count), STEPS, q).pvalue > 1e-3


@pytest.mark.parametrize("power", [0.5, 0.75, 1.0])
def test_draws_are_in_proportion_to_a_power_of_popularity(power):
    made = Negatives(POPULARITY, count=1, power=power, in_batch=False)
    often, _ = frequencies(made)
    weights = POPULARITY.double() ** power
    assert chisquare(often, (STEPS * weights / weights.sum()).tolist()).pvalue > 0.01


def test_hidden_games_are_taken_for_draws_by_popularity():
    """Users of a real dataset hide their own games: the count is right in the mean, about as rough as users are few."""
    draw = source(3)
    games = [torch.multinomial(POPULARITY.float(), 5, generator=draw) + 2 for _ in range(600)]
    popularity = torch.bincount(torch.cat(games), minlength=14)[2:]
    made = Negatives(popularity, count=0, power=0.0, in_batch=True)
    often, told = torch.zeros(14), torch.zeros(14, dtype=torch.float64)
    for step in range(STEPS):
        step_users = torch.randperm(600, generator=source(step))[:8].tolist()
        hidden = torch.stack([games[user][(user + step) % 5][None] for user in step_users])
        negatives, _, log_q = made.draw(hidden, NOBODY, source(step))
        often[negatives] += 1
        told[negatives] += log_q.double().exp()
    share = often / STEPS
    mean = told / often.clamp(min=1)
    torch.testing.assert_close(share[2:].double(), mean[2:], rtol=0.15, atol=0.01)


# ---- distinct numbers ----


@pytest.mark.parametrize(("count", "end"), [(0, 5), (2, 6), (3, 6), (4, 6), (6, 6)])
def test_every_set_is_as_likely(count, end):
    sets = dict.fromkeys(itertools.combinations(range(end), count), 0)
    draw = source(7)
    for _ in range(3000):
        sets[tuple(sorted(distinct(count, end, draw).tolist()))] += 1
    assert len(sets) == 1 or chisquare(list(sets.values())).pvalue > 0.01


@pytest.mark.parametrize("end", [1000, 1500, 2000, 2001, 500_000])
def test_a_thousand_distinct_numbers(end):
    found = distinct(1000, end, source(1))
    assert found.dtype == torch.int64
    assert len(set(found.tolist())) == len(found) == 1000
    assert 0 <= int(found.min()) <= int(found.max()) < end


@every_way
def test_choices_follow_from_the_generator_alone(way):
    made, held = Negatives(POPULARITY, **way), padded([[2, 5], [7]])
    first = made.draw(held, held, source(5))
    torch.rand(1)  # the global generator plays no part
    again = Negatives(POPULARITY, **way).draw(held, held, source(5))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    others = [made.draw(held, held, source(seed))[0] for seed in range(6, 12)]
    chance = way["count"] > 0
    assert any(not torch.equal(first[0], other) for other in others) == chance
