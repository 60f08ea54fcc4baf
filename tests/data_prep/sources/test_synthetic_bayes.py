import itertools
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_prep.clean import merge_pairs
from data_prep.index import add_ids, game_table
from data_prep.options import Options
from data_prep.sources import synthetic_bayes
from data_prep.sources.synthetic import World, make_world, play
from data_prep.sources.synthetic_bayes import bayes_references, held_out_ranks, scores, type_weights
from data_prep.split import add_split

GAMES = 6
MIN_GAMES = 3
Joint = dict[tuple[tuple[int, ...], int], float]  # (history, held-out game) -> probability


def _world() -> World:
    rng = np.random.default_rng(5)
    return World(
        choice=rng.dirichlet(np.ones(GAMES), 3),
        affinity=np.ones((3, GAMES)),
        taste_share=np.array([0.5, 0.3, 0.2]),
        activity=np.array([2.0, 6.0]),
        activity_share=np.array([0.6, 0.4]),
        titles=[str(game) for game in range(GAMES)],
    )


def _enumerate(world: World) -> tuple[Joint, Joint]:
    """Every owned set of every type, every draw of (validation, test): the joint laws at test and at validation."""
    at_test: Joint = defaultdict(float)
    at_validation: Joint = defaultdict(float)
    for taste, level in itertools.product(range(3), range(2)):
        owned = 1 - np.exp(-world.activity[level] * world.choice[taste])
        prior = world.taste_share[taste] * world.activity_share[level]
        for size in range(MIN_GAMES, GAMES + 1):
            for library in itertools.combinations(range(GAMES), size):
                chance = prior * math.prod(owned[g] if g in library else 1 - owned[g] for g in range(GAMES))
                for validation, test in itertools.permutations(library, 2):
                    share = chance / (size * (size - 1))
                    train = tuple(game for game in library if game not in (validation, test))
                    at_test[tuple(sorted((*train, validation))), test] += share
                    at_validation[train, validation] += share
    return at_test, at_validation


@pytest.mark.parametrize("missing", [1, 2], ids=["test", "validation"])
def test_against_enumeration_of_everything(missing: int) -> None:
    world = _world()
    joint = _enumerate(world)[missing - 1]
    histories = sorted({history for history, _ in joint})
    assert len(histories) > 30
    weights, inside = type_weights(world, [np.array(history) for history in histories])
    got = scores(weights, world.total_odds - inside, world.odds(np.arange(GAMES)), missing)
    for history, row in zip(histories, got, strict=True):
        rest = [game for game in range(GAMES) if game not in history]
        expected = np.array([joint[history, game] for game in rest])
        assert row[rest] / row[rest].sum() == pytest.approx(expected / expected.sum())


@pytest.mark.parametrize("missing", [1, 2], ids=["test", "validation"])
def test_ranks_among_known_games(missing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_bayes, "_USERS_AT_ONCE", 7)  # several slices of users and of games
    monkeypatch.setattr(synthetic_bayes, "_GAMES_AT_ONCE", 4)
    world = _world()
    joint = _enumerate(world)[missing - 1]
    known = np.array([True, True, False, True, True, True])
    cases = [(history, game) for history, game in sorted(joint) if known[game]]
    got = held_out_ranks(
        world, [np.array(h) for h, _ in cases], np.array([g for _, g in cases]), known, missing=missing
    )
    for (history, game), rank in zip(cases, got, strict=True):
        rivals = [joint[history, other] for other in range(GAMES) if known[other] and other not in history]
        # the game itself is among the rivals, and two remaining games are an exact tie at validation
        tied = sum(rival == pytest.approx(joint[history, game], rel=1e-9) for rival in rivals)
        better = sum(rival > joint[history, game] * (1 + 1e-9) for rival in rivals)
        assert better + 1 <= rank <= better + tied


def _log(world: World, users: int) -> pl.DataFrame:
    options = Options("synthetic", Path("o"), min_games=5)
    log = add_split(merge_pairs(play(world, users, 1)), options)
    return add_ids(log, game_table(log))


def test_references_are_means_over_evaluated_users() -> None:
    world = make_world(400, seed=1)
    log = _log(world, 120)
    known = set(log.filter(pl.col("split") == "train")["game"])
    assert known != set(range(400))  # some games are unknown
    gains: dict[str, list[float]] = {"test": [], "validation": []}
    for user in log.filter(pl.col("split") == "test")["user"]:
        own = dict(log.filter(pl.col("user") == user).select("game", "split").rows())
        for split, missing in (("test", 1), ("validation", 2)):
            target = next(game for game, part in own.items() if part == split)
            outside = {"test", "validation"} if split == "validation" else {"test"}
            history = np.array([game for game, part in own.items() if part not in outside])
            mask = np.array([game in known for game in range(400)])
            rank = held_out_ranks(world, [history], np.array([target]), mask, missing=missing)[0]
            gains[split].append(1 / math.log2(1 + rank) if target in known else 0)
    at_10 = 1 / math.log2(1 + 10)
    references, users = bayes_references(world, log, seed=1)
    assert users == len(gains["test"])
    assert references["synthetic.bayes.ndcg"] == pytest.approx(np.mean(gains["test"]), abs=1e-6)
    for split, key in (("test", "synthetic.bayes"), ("validation", "synthetic.bayes.validation")):
        cut = [gain if gain >= at_10 else 0 for gain in gains[split]]
        assert references[f"{key}.ndcg@10"] == pytest.approx(np.mean(cut), abs=1e-6)


def test_a_sample_of_users_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(60, seed=1)
    log = _log(world, 400)
    everybody, users = bayes_references(world, log, seed=1)
    monkeypatch.setattr(synthetic_bayes, "MAX_USERS", users // 2)
    half, fewer = bayes_references(world, log, seed=1)
    assert fewer == users // 2
    assert half != everybody
    assert half == bayes_references(world, log, seed=1)[0]
    assert half["synthetic.bayes.ndcg"] == pytest.approx(everybody["synthetic.bayes.ndcg"], abs=0.1)


@pytest.mark.slow
def test_nothing_simple_beats_it_and_popularity_is_far_behind() -> None:
    world = make_world(2_000, seed=1)
    log = _log(world, 4_000)
    references, _ = bayes_references(world, log, seed=1)
    games = game_table(log)
    popularity = dict(games.select("id", "popularity").rows())
    order = {game: rank for rank, game in enumerate(sorted(popularity, key=lambda g: -popularity[g]))}
    gains = []
    for _, part in log.filter(pl.col("id") > 1).group_by("user"):
        own = {
            split: [order[i] for i in part.filter(pl.col("split") == split)["id"]]
            for split in ("train", "validation", "test")
        }
        if own["test"]:
            rank = 1 + own["test"][0] - sum(seen < own["test"][0] for seen in own["train"] + own["validation"])
            gains.append(1 / math.log2(1 + rank) if rank <= 10 else 0)
    assert references["synthetic.bayes.ndcg@10"] > 1.3 * np.mean(gains)
