import polars as pl

from data_prep.histories import held_out_table, history_table
from data_prep.split import SPLIT

SCHEMA = {
    "user": pl.String, "game": pl.String, "timestamp": pl.Int64, "split": SPLIT, "row": pl.Int32, "id": pl.Int32,
    "grade": pl.Int8,
}  # fmt: skip
LOG = pl.DataFrame(
    [
        ("a", "p", 3, "train", 0, 2, 5),
        ("a", "q", 1, "train", 0, 4, 1),
        ("a", "r", 3, "train", 0, 3, 2),
        ("a", "s", 9, "test", 0, 5, 3),
        ("b", "p", 8, "test", 1, 2, 1),
        ("b", "x", 9, "test", 1, 1, 2),
        ("c", "p", 1, "train", 2, 2, 1),
    ],
    schema=SCHEMA,
    orient="row",
)


def test_by_time_with_ties_by_source_game() -> None:
    assert history_table(LOG).to_pylist() == [
        {"user": "a", "games": [4, 2, 3], "grades": [1, 5, 2]},
        {"user": "b", "games": [], "grades": []},  # cold: held-out games only
        {"user": "c", "games": [2], "grades": [1]},
    ]


def test_by_id_without_time() -> None:
    assert history_table(LOG.drop("timestamp"))["games"].to_pylist() == [[2, 3, 4], [], [2]]


def test_held_out_games_by_row() -> None:
    assert held_out_table(LOG, "test").to_pylist() == [
        {"row": 0, "games": [5], "grades": [3]},
        {"row": 1, "games": [1, 2], "grades": [2, 1]},
    ]
    assert held_out_table(LOG, "validation").num_rows == 0


def test_every_row_lands_in_one_table() -> None:
    tables = [history_table(LOG), held_out_table(LOG, "validation"), held_out_table(LOG, "test")]
    assert sum(len(games) for table in tables for games in table["games"].to_pylist()) == LOG.height


def test_order_comes_from_values_not_from_the_rows() -> None:
    assert history_table(LOG.reverse()) == history_table(LOG)
    assert held_out_table(LOG.reverse(), "test") == held_out_table(LOG, "test")
