import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data_prep.clean import merge_pairs
from data_prep.options import Options
from data_prep.split import SPLIT, add_split, hold_out_last, time_cut
from memcom_rank.contract.errors import SplitError

TRAIN, VALIDATION, TEST = range(3)


def _options(split: str, **more: Any) -> Options:
    return Options("table", Path("o"), Path("i"), "u", "g", timestamp="t", split=split, **more)


def _log(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema={"user": pl.Int64, "game": pl.Int64, "timestamp": pl.Int64}, orient="row")
    return merge_pairs(frame.with_columns(title=pl.lit(None, pl.String), engagement_hours=pl.lit(None, pl.Float64)))


def _named(log: pl.DataFrame) -> dict[tuple[int, int], str]:
    return {(user, game): split for user, game, split in log.select("user", "game", "split").rows()}


ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 30)), min_size=1, max_size=60)
RULES = st.sampled_from(["holdout", "leave-last-out", "time-cut"])


@given(ROWS, RULES, st.randoms())
def test_nothing_lost_nothing_leaked_order_free(
    rows: list[tuple[int, int, int]], rule: str, rng: random.Random
) -> None:
    options = _options(rule, min_games=3)
    try:
        split = add_split(_log(rows), options)
    except SplitError:
        with pytest.raises(SplitError):
            add_split(_log(rng.sample(rows, len(rows))), options)
        assume(False)
    named = _named(split)
    assert set(named) == {row[:2] for row in rows}  # nothing lost
    assert split.height == len(named)  # one split per pair, so no training game is held out
    assert split.equals(add_split(_log(rng.sample(rows, len(rows))), options))
    for user in {row[0] for row in rows}:
        own = [name for (owner, _), name in named.items() if owner == user]
        if rule != "time-cut":
            expected = 1 if len(own) >= 3 else 0
            assert own.count("validation") == own.count("test") == expected


@given(ROWS)
def test_leave_last_out_against_a_plain_loop(rows: list[tuple[int, int, int]]) -> None:
    first: dict[tuple[int, int], int] = {}
    for user, game, time in rows:
        first[user, game] = min(time, first.get((user, game), time))
    expected = dict.fromkeys(first, "train")
    for user in {row[0] for row in rows}:
        by_time = sorted((time, game) for (owner, game), time in first.items() if owner == user)
        if len(by_time) >= 3:
            expected[user, by_time[-1][1]] = "test"
            expected[user, by_time[-2][1]] = "validation"
    assume("test" in expected.values())
    assert _named(add_split(_log(rows), _options("leave-last-out", min_games=3))) == expected


def test_ties_in_time_are_broken_by_game() -> None:
    named = _named(add_split(_log([(1, game, 0) for game in (9, 3, 5, 7)]), _options("leave-last-out", min_games=3)))
    assert named == {(1, 3): "train", (1, 5): "train", (1, 7): "validation", (1, 9): "test"}


def test_small_users_stay_in_train() -> None:
    log = _log([(1, game, 0) for game in range(5)] + [(2, game, 0) for game in range(4)])
    split = add_split(log, _options("holdout"))
    assert set(split.filter(pl.col("user") == 2)["split"]) == {"train"}
    assert split.filter(pl.col("split") == "test")["user"].to_list() == [1]


def test_holdout_is_a_uniform_draw_and_follows_the_seed() -> None:
    log = _log([(user, game, 0) for user in range(3000) for game in range(5)])
    split = add_split(log, _options("holdout", seed=3))
    counts = split.filter(pl.col("split") != "train").group_by("game", "split").len()
    assert counts.height == 10  # every game, in both roles
    # 600 expected each; binomial standard deviation 21.9
    assert counts["len"].is_between(600 - 110, 600 + 110).all()
    assert split.equals(add_split(log, _options("holdout", seed=3)))
    assert not split.equals(add_split(log, _options("holdout", seed=4)))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=80))
def test_time_cut_never_divides_a_tie(times: list[int]) -> None:
    try:
        codes = time_cut(np.array(times))
    except SplitError as error:
        assume("no training rows" not in str(error))
    by_time: dict[int, set[int]] = {}
    for time, code in zip(times, codes, strict=True):
        by_time.setdefault(time, set()).add(int(code))
    assert all(len(parts) == 1 for parts in by_time.values())
    ordered = [min(by_time[time]) for time in sorted(by_time)]
    assert ordered == sorted(ordered)
    assert set(ordered) == {TRAIN, VALIDATION, TEST}


def test_time_cut_takes_the_last_tenths() -> None:
    codes = time_cut(np.arange(100)[::-1])
    assert [int((codes == code).sum()) for code in (TRAIN, VALIDATION, TEST)] == [80, 10, 10]
    assert (codes[:10] == TEST).all()


def test_time_cut_needs_three_times() -> None:
    with pytest.raises(SplitError, match=r"2 distinct times in 4 rows(.|\n)*finer --timestamp"):
        time_cut(np.array([1, 1, 2, 2]))


def test_time_cut_leaves_cold_users() -> None:
    log = _log([(1, game, game) for game in range(10)] + [(2, 0, 100)])
    named = _named(add_split(log, _options("time-cut")))
    assert named[2, 0] == "test"
    assert [named[1, game] for game in (7, 8, 9)] == ["train", "train", "validation"]


def _published(words: list[str], users: list[int] | None = None) -> pl.DataFrame:
    users = users or [1] * len(words)
    return pl.DataFrame({"user": users, "game": range(len(words)), "split": pl.Series(words, dtype=SPLIT)})


def _column(min_games: int = 5) -> Options:
    return Options("table", Path("o"), Path("i"), "u", "g", split="column:part", min_games=min_games)


def test_published_split_is_kept() -> None:
    words = ["train", "validation", "test", "train"]
    assert add_split(_published(words), _column())["split"].to_list() == words


def test_missing_validation_is_drawn_from_train() -> None:
    log = _published(["train"] * 5 + ["test"] + ["train"] * 4 + ["test"], [1] * 6 + [2] * 5)
    split = add_split(log, _column())
    carved = split.filter(pl.col("split") == "validation")
    assert carved["user"].to_list() == [1]  # user 2 has 4 training games only
    assert log.filter(split["split"] != log["split"])["split"].to_list() == ["train"]
    assert (split["split"] == "test").sum() == 2


@pytest.mark.parametrize("missing", ["train", "test"])
def test_published_split_without_a_part_is_refused(missing: str) -> None:
    words = [word for word in ("train", "validation", "test") if word != missing]
    with pytest.raises(SplitError, match=f"leaves no {missing} rows"):
        add_split(_published(words), _column())


def test_nobody_to_evaluate() -> None:
    with pytest.raises(
        SplitError, match=r"no validation rows; the largest user has 1 games(.|\n)*at least 5(.|\n)*lower"
    ):
        add_split(_log([(1, 1, 0), (2, 1, 0)]), _options("holdout"))


def test_hold_out_last_is_stable() -> None:
    assert hold_out_last(np.array([0, 0, 0, 1]), np.array([5, 1, 5, 0]), 3).tolist() == [VALIDATION, TRAIN, TEST, TRAIN]


def _try(rows: list[tuple[int, int, int]], options: Options) -> dict[tuple[int, int], str]:
    """The split by (user, game); an example where nobody can be evaluated is no example."""
    try:
        return _named(add_split(_log(rows), options))
    except SplitError:
        assume(False)
        raise


@given(ROWS, st.sampled_from(["holdout", "leave-last-out"]), st.integers(3, 6))
def test_users_below_min_games_are_trained_on_and_all_others_evaluated(
    rows: list[tuple[int, int, int]], rule: str, min_games: int
) -> None:
    named = _try(rows, _options(rule, min_games=min_games))
    for user in {row[0] for row in rows}:
        own = sorted(name for (owner, _), name in named.items() if owner == user)
        held = ["test", *["train"] * (len(own) - 2), "validation"] if len(own) >= min_games else ["train"] * len(own)
        assert own == held


@given(ROWS)
def test_leave_last_out_holds_out_the_latest(rows: list[tuple[int, int, int]]) -> None:
    named = _try(rows, _options("leave-last-out", min_games=3))
    order = ["train", "validation", "test"]
    for user in {row[0] for row in rows}:
        # a pair's time is its first
        times = {game: min(time for u, g, time in rows if (u, g) == (user, game)) for u, game, _ in rows if u == user}
        own = [(order.index(named[user, game]), time) for game, time in times.items()]
        assert all(one[1] <= other[1] for one in own for other in own if one[0] < other[0])


@given(ROWS)
def test_time_cut_is_one_moment_for_all_users(rows: list[tuple[int, int, int]]) -> None:
    named = _try(rows, _options("time-cut"))
    times = {pair: min(time for *other, time in rows if tuple(other) == pair) for pair in named}
    latest = {name: max(times[pair] for pair in named if named[pair] == name) for name in ("train", "validation")}
    earliest = {name: min(times[pair] for pair in named if named[pair] == name) for name in ("validation", "test")}
    assert latest["train"] < earliest["validation"] <= latest["validation"] < earliest["test"]


PARTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7), st.sampled_from(["train", "test"])), min_size=1)


@given(PARTS, st.integers(3, 5), st.randoms())
def test_a_published_split_gives_validation_training_games_alone(
    parts: list[tuple[int, int, str]], min_games: int, rng: random.Random
) -> None:
    published = {(user, game): part for user, game, part in parts}

    def split(rows: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
        names = pl.Series([published[row] for row in rows], dtype=SPLIT)
        log = pl.DataFrame({"user": [user for user, _ in rows], "game": [game for _, game in rows], "split": names})
        return _named(add_split(log.sort("user", "game"), _column(min_games)))

    try:
        named = split(list(published))
    except SplitError:
        assume(False)
        raise
    assert set(named) == set(published)
    moved = {pair for pair in named if named[pair] != published[pair]}
    assert {(published[pair], named[pair]) for pair in moved} == {("train", "validation")}
    for user in {user for user, _ in published}:
        trained = [pair for pair, part in published.items() if pair[0] == user and part == "train"]
        assert len(moved & set(trained)) == (len(trained) >= min_games)
    assert split(rng.sample(list(published), len(published))) == named
