import bisect

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.grade import add_grades, grade_edges


def _grades(hours: list[float], edges: list[float]) -> list[int]:
    return add_grades(pl.DataFrame({"engagement_hours": hours}), edges)["grade"].to_list()


def test_four_bins_of_equal_count() -> None:
    hours = [float(h) for h in range(1, 9)]
    edges = grade_edges(pl.Series(hours), 4)
    assert edges == [2.0, 4.0, 6.0]
    assert _grades(hours, edges) == [2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize(
    ("hours", "bins", "edges"),
    [
        ([], 4, []),
        ([0.0, 0.0], 4, []),  # never played
        ([3.0, 3.0, 3.0], 4, []),  # one value: one played grade
        ([1.0, 1.0, 1.0, 9.0], 4, [1.0]),  # equal edges merge
        ([0.0, 0.0, 1.0, 2.0], 2, [1.0]),  # unplayed rows do not move the edges
        ([1.0, 2.0, 3.0], 1, []),
        ([1.0, 2.0], 4, [1.0]),  # fewer values than bins
    ],
)
def test_edges(hours: list[float], bins: int, edges: list[float]) -> None:
    assert grade_edges(pl.Series(hours, dtype=pl.Float64), bins) == edges


def test_owned_and_unplayed_is_one_and_more_than_ever_seen_is_top() -> None:
    assert _grades([0.0, 0.1, 1.0, 1.1, 1e9], [1.0, 5.0]) == [1, 2, 2, 3, 4]
    assert add_grades(pl.DataFrame({"engagement_hours": [0.0]}), [])["grade"].dtype == pl.Int8


@given(st.lists(st.floats(0, 1e4), max_size=60), st.integers(1, 100))
def test_against_a_plain_loop(hours: list[float], bins: int) -> None:
    edges = grade_edges(pl.Series(hours, dtype=pl.Float64), bins)
    grades = _grades(hours, edges)
    assert grades == [1 if h == 0 else 2 + bisect.bisect_left(edges, h) for h in hours]
    assert edges == sorted(set(edges))
    assert len(edges) <= bins - 1
    assert set(range(2, len(edges) + 2 + bool(set(grades) - {1}))) - set(grades) <= {len(edges) + 2}  # no empty bin


def test_a_value_at_or_below_an_edge_covers_its_share() -> None:
    hours = [0.3, 0.3, 0.7, 1.0, 2.0, 2.0, 8.0, 9.0, 30.0, 400.0]
    for k, edge in enumerate(grade_edges(pl.Series(hours), 4), start=1):
        assert sum(h <= edge for h in hours) >= k / 4 * len(hours)
