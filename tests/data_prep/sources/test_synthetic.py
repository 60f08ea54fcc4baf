import math
import tracemalloc

import numpy as np
import polars as pl
import pytest

from data_prep.sources.synthetic import NEVER_PLAYED_SHARE, World, make_world, play
from data_prep.sources.synthetic_bayes import held_out_ranks

TINY = World(
    choice=np.array([[0.6, 0.3, 0.1], [0.05, 0.15, 0.8]]),
    affinity=np.ones((2, 3)),
    taste_share=np.array([0.7, 0.3]),
    activity=np.array([0.5, 3.0]),
    activity_share=np.array([0.6, 0.4]),
    titles=["A", "B", "C"],
)


def test_odds_are_those_of_the_ownership_probability() -> None:
    for k, (taste, level) in enumerate((t, a) for t in range(2) for a in range(2)):
        for game in range(3):
            q = 1 - math.exp(-TINY.activity[level] * TINY.choice[taste, game])
            assert TINY.odds(np.array([game]))[k, 0] == pytest.approx(q / (1 - q))
    assert TINY.total_odds == pytest.approx(TINY.odds(np.arange(3)).sum(axis=1))


def test_games_are_owned_independently_given_the_type() -> None:
    users = 200_000
    log = play(TINY, users, seed=1)
    assert log.select("user", "game").is_unique().all()
    sets = log.group_by("user").agg(pl.col("game").sort())["game"].to_list()
    counts = dict.fromkeys([(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)], 0)
    for games in sets:
        counts[tuple(games)] += 1
    counts[()] = users - len(sets)
    for subset, count in counts.items():
        expected = 0.0  # P(subset), a product of independent draws for each type
        for taste, level in ((t, a) for t in range(2) for a in range(2)):
            owned = 1 - np.exp(-TINY.activity[level] * TINY.choice[taste])
            chance = math.prod(owned[game] if game in subset else 1 - owned[game] for game in range(3))
            expected += TINY.taste_share[taste] * TINY.activity_share[level] * chance
        assert abs(count / users - expected) < 5 * math.sqrt(expected * (1 - expected) / users), subset


def test_a_world_is_well_formed() -> None:
    world = make_world(200, seed=1)
    assert world.choice.sum(axis=1) == pytest.approx(np.ones(len(world.choice)))
    assert (world.choice * world.affinity).sum(axis=1) == pytest.approx(np.ones(len(world.choice)))
    assert (world.choice > 0).all()
    assert world.taste_share.sum() == pytest.approx(1)
    assert world.activity_share.sum() == pytest.approx(1)
    assert len(set(world.titles)) == 200


def test_seed_decides_all() -> None:
    first = play(make_world(50, 1), 100, 1)
    assert first.equals(play(make_world(50, 1), 100, 1))
    assert not first.equals(play(make_world(50, 2), 100, 2))


def test_hours_and_titles() -> None:
    world = make_world(100, seed=1)
    log = play(world, 3000, seed=1)
    hours = log["engagement_hours"]
    assert hours.is_null().mean() == pytest.approx(NEVER_PLAYED_SHARE, abs=0.02)
    assert hours.min() == 0.1  # type: ignore[comparison-overlap]
    assert log["title"].to_list() == [world.titles[game] for game in log["game"]]
    liked = world.affinity.mean(axis=0)[log["game"].to_numpy()]
    by_liking = (
        log.with_columns(liked=pl.Series(liked > np.median(liked)))
        .group_by("liked")
        .agg(pl.col("engagement_hours").median())
    )
    medians = dict(by_liking.rows())
    assert medians[True] > medians[False]


@pytest.mark.slow
def test_never_a_matrix_of_users_by_games() -> None:
    users, games = 8_000, 60_000  # the matrix would take 480 MB as bytes, 3.8 GB as numbers
    tracemalloc.start()
    world = make_world(games, seed=1)
    log = play(world, users, seed=1)
    histories = [part["game"].to_numpy() for part in log.head(5_000).partition_by("user")]
    held_out = np.zeros(len(histories), np.int64)
    held_out_ranks(world, histories, held_out, np.ones(games, bool), missing=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 250e6


def test_user_numbers_do_not_tell_the_taste() -> None:
    loved = World(
        choice=np.array([[1.0, 0.0], [0.0, 1.0]]), affinity=np.ones((2, 2)), taste_share=np.array([0.5, 0.5]),
        activity=np.array([9.0]), activity_share=np.array([1.0]), titles=["A", "B"],
    )  # fmt: skip
    log = play(loved, 2000, seed=1)
    assert log.filter(pl.col("user") < 1000)["game"].mean() == pytest.approx(0.5, abs=0.08)
