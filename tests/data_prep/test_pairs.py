import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.pairs import draw_pairs, pair_table

LOGS = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5)), max_size=40)


def _log(rows: list[tuple[int, int]]) -> pl.DataFrame:
    """Rows of (user row, grade); every game is another one."""
    schema = {"row": pl.Int32, "id": pl.Int32, "grade": pl.Int8}
    return pl.DataFrame([(row, 2 + n, grade) for n, (row, grade) in enumerate(rows)], schema=schema, orient="row")


def _brute_force(log: pl.DataFrame) -> dict[tuple[int, int, int], int]:
    """All strict pairs (row, preferred, other) with their gap."""
    return {
        (a[0], a[1], b[1]): a[2] - b[2]
        for a, b in itertools.permutations(log.rows(), 2)
        if a[0] == b[0] and a[2] > b[2]
    }


@given(LOGS, st.integers(0, 12), st.integers(0, 3))
def test_against_brute_force(rows: list[tuple[int, int]], cap: int, seed: int) -> None:
    log = _log(rows)
    everything = _brute_force(log)
    drawn = pair_table(log, largest_gap=4, cap=cap, seed=seed).to_pylist()
    keys = [(pair["row"], pair["preferred"], pair["other"]) for pair in drawn]
    assert len(set(keys)) == len(keys)  # distinct
    assert [key[0] for key in keys] == sorted(key[0] for key in keys)
    for pair, key in zip(drawn, keys, strict=True):
        assert pair["weight"] == np.float32(everything[key] / 4)
    for row in range(5):
        total = sum(key[0] == row for key in everything)
        assert sum(key[0] == row for key in keys) == min(total, cap)


@given(LOGS)
def test_a_large_cap_takes_every_pair(rows: list[tuple[int, int]]) -> None:
    drawn = pair_table(_log(rows), largest_gap=4, cap=10**6, seed=0)
    assert {(p["row"], p["preferred"], p["other"]) for p in drawn.to_pylist()} == set(_brute_force(_log(rows)))


def test_row_order_does_not_matter() -> None:
    log = _log([(n % 7, 1 + n % 5) for n in range(200)])
    assert pair_table(log, largest_gap=4, cap=9, seed=1) == pair_table(log.reverse(), largest_gap=4, cap=9, seed=1)
    assert pair_table(log, largest_gap=4, cap=9, seed=1) != pair_table(log, largest_gap=4, cap=9, seed=2)


def test_every_pair_can_be_drawn_equally_often() -> None:
    # 60 users with the same 3 x 4 strict pairs, half of them drawn: 30 of 60 expected, standard deviation below 4
    log = _log([(user, grade) for user in range(60) for grade in (1, 1, 1, 1, 2, 2, 2)])
    user, grade = log["row"].to_numpy(), log["grade"].to_numpy()
    preferred, other = draw_pairs(user, grade, 6, np.random.default_rng(0))
    assert (user[preferred] == user[other]).all()
    counts = np.bincount((preferred % 7) * 7 + other % 7)
    assert len(counts[counts > 0]) == 12
    assert counts[counts > 0].min() >= 14
    assert counts[counts > 0].max() <= 46


@pytest.mark.parametrize("rows", [[], [(0, 3)], [(0, 2), (0, 2)]])
def test_nothing_to_compare(rows: list[tuple[int, int]]) -> None:
    table = pair_table(_log(rows), largest_gap=1, cap=64, seed=0)
    assert table.num_rows == 0
    assert table.column_names == ["row", "preferred", "other", "weight"]


def test_a_huge_user_costs_no_enumeration() -> None:
    # 10^10 / 4 strict pairs: enumerating them would not fit into memory
    grade = np.repeat([1, 2], 50_000)
    preferred, other = draw_pairs(np.zeros(100_000, np.int32), grade, 64, np.random.default_rng(0))
    assert len(preferred) == 64
    assert (grade[preferred] > grade[other]).all()
