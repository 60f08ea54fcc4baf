import math
import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.clean import check_values, drop_untimed, merge_pairs
from data_prep.split import SPLIT
from memcom_rank.contract.errors import InputError

TYPES = {"user": pl.Int64, "game": pl.String, "title": pl.String, "engagement_hours": pl.Float64}


def _log(*rows: tuple[object, ...], **more: pl.DataType | type[pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TYPES | more, orient="row")


def test_hours_of_a_pair_sum_up_and_purchases_add_none() -> None:
    log = _log((2, "b", "b", None), (1, "b", "b", 1.5), (1, "b", "b", None), (1, "b", "b", 2.0), (1, "a", "a", None))
    assert merge_pairs(log).rows() == [(1, "a", "a", 0.0), (1, "b", "b", 3.5), (2, "b", "b", 0.0)]


def test_earliest_time_and_split_win() -> None:
    log = _log(
        (1, "a", None, None, 30, "test"), (1, "a", None, None, 20, "validation"), timestamp=pl.Int64, split=SPLIT
    )
    assert merge_pairs(log).select("timestamp", "split").rows() == [(20, "validation")]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.floats(0, 1e4)), min_size=1), st.randoms())
def test_row_order_does_not_matter_even_for_sums(rows: list[tuple[int, str, float]], rng: random.Random) -> None:
    full = [(user, game, game, hours) for user, game, hours in rows]
    shuffled = rng.sample(full, len(full))
    assert merge_pairs(_log(*full)).equals(merge_pairs(_log(*shuffled)))


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.floats(0, 1e4)), min_size=1))
def test_matches_a_plain_sum(rows: list[tuple[int, str, float]]) -> None:
    hours: dict[tuple[int, str], list[float]] = {}
    for user, game, value in rows:
        hours.setdefault((user, game), []).append(value)
    merged = merge_pairs(_log(*[(u, g, g, h) for u, g, h in rows]))
    assert [row[:2] for row in merged.rows()] == sorted(hours)
    for user, game, _, total in merged.rows():
        assert total == pytest.approx(math.fsum(hours[user, game]))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((None, "a", "a", 1.0), "1 of 2 rows have no user id"),
        ((1, None, "a", 1.0), "1 of 2 rows have no game id"),
        ((1, "a", "a", -0.5), r"1 rows have negative or non-finite hours, e.g. -0.5 of user 1 and game 'a'"),
        ((1, "a", "a", math.nan), "non-finite hours, e.g. nan"),
        ((1, "a", "a", math.inf), "non-finite hours, e.g. inf"),
    ],
)
def test_impossible_values_are_refused(row: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_values(_log(row, (5, "z", "z", None)))


def test_empty_log_is_refused() -> None:
    with pytest.raises(InputError, match=r"no rows(.|\n)*at least one"):
        check_values(_log())


def test_good_values_pass() -> None:
    check_values(_log((1, "a", None, None), (1, "b", "B", 0.0)))


def test_untimed_rows_are_dropped_only_from_a_timed_log() -> None:
    timed = _log((1, "a", "a", None, 3), (1, "b", "b", None, None), timestamp=pl.Int64)
    assert drop_untimed(timed)["game"].to_list() == ["a"]
    untimed = timed.drop("timestamp")
    assert drop_untimed(untimed).height == 2


def test_a_log_without_any_time_is_refused() -> None:
    with pytest.raises(InputError, match="none of 1 rows has a timestamp"):
        drop_untimed(_log((1, "a", "a", None, None), timestamp=pl.Int64))
