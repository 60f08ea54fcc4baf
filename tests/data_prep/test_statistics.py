import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from data_prep.histories import held_out_table, history_table
from data_prep.split import SPLIT
from data_prep.statistics import gini, split_statistics

LOG = pl.DataFrame(
    [
        (1, "p", "train", 0, 2, 1),
        (1, "q", "train", 0, 3, 2),
        (1, "r", "train", 0, 4, 2),
        (1, "x", "validation", 0, 1, 1),
        (2, "p", "validation", 1, 2, 1),
        (2, "q", "test", 1, 3, 1),
        (3, "q", "test", 2, 3, 1),
        (3, "z", "test", 2, 1, 1),
        (4, "p", "train", 3, 2, 1),
    ],
    schema={"user": pl.Int64, "game": pl.String, "split": SPLIT, "row": pl.Int32, "id": pl.Int32, "grade": pl.Int8},
    orient="row",
)


def test_counted_by_hand() -> None:
    tables = {
        "histories": history_table(LOG),
        "validation": held_out_table(LOG, "validation"),
        "test": held_out_table(LOG, "test"),
        "games": pa.table({"popularity": [2, 1, 1]}),
    }
    assert split_statistics(LOG, tables) == {
        "train": {
            "rows": 4,
            "users": 2,
            "games": 3,
            "popularity_gini": 0.1667,
            "median_owned": 2.0,
            "grade_1": 2,
            "grade_2": 2,
        },
        "validation": {"rows": 2, "users": 2, "unknown_rows": 1, "cold_users": 1},
        # user 2 has a validation game as history by then; user 3 has nothing
        "test": {"rows": 3, "users": 2, "unknown_rows": 1, "cold_users": 1},
    }


def test_later_rows_where_the_log_is_timed() -> None:
    timed = LOG.with_columns(timestamp=pl.Series([1, 2, 9, 3, 1, 5, 5, 6, 5], dtype=pl.Int64))
    tables = {name: held_out_table(timed, name) for name in ("validation", "test")}
    tables |= {"histories": history_table(timed), "games": pa.table({"popularity": [2, 1, 1]})}
    found = split_statistics(timed, tables)["train"]
    # training times 1, 2, 9 and 5 (another user's); tests at 5, 5 and 6
    later = {name: value for name, value in found.items() if name.startswith("later_")}
    assert later == {
        "later_than_own_test": 0, "later_than_first_test": 1, "later_than_test_mean_share": 0.25,
    }  # fmt: skip


@pytest.mark.parametrize("counts", [[5, 5, 5], [1, 2, 3, 10], [1], [7, 1, 1, 1, 1, 90]])
def test_gini_is_half_the_relative_mean_difference(counts: list[int]) -> None:
    array = np.array(counts)
    difference = np.abs(array[:, None] - array).mean()
    assert gini(array) == pytest.approx(difference / (2 * array.mean()))
