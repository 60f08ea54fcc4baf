"""Histories: indexed rows -> the tables histories, validation and test, each a list of games and grades per user."""

import numpy as np
import polars as pl
import pyarrow as pa


def history_table(log: pl.DataFrame, *, whole: bool = False) -> pa.Table:
    """Return every user's training games: user, games, grades; an empty list for users without any.

    Args:
        log: indexed and graded rows of all splits, sorted by (user, game).
        whole: where whole users are held out: all games of every user.

    Returns:
        One row per user of any split, sorted by user id; games by time where there is one (ties by the source's game
        id), else by game id.
    """
    order = ["row", "timestamp", "game"] if "timestamp" in log.columns else ["row", "id"]
    shown = (log if whole else log.filter(pl.col("split") == "train")).sort(order)
    users = log["user"].unique().sort()
    games, grades = _lists(shown, shown["row"].to_numpy(), users.len())
    return pa.table({"user": users.to_arrow(), "games": games, "grades": grades})


def held_out_table(log: pl.DataFrame, split: str) -> pa.Table:
    """Return the held-out games of `split`: row, games, grades; one row per user who has any, sorted by row."""
    held_out = log.filter(pl.col("split") == split).sort("row", "id", "game")
    rows, position = np.unique(held_out["row"].to_numpy(), return_inverse=True)
    games, grades = _lists(held_out, position, len(rows))
    return pa.table({"row": rows.astype(np.int32), "games": games, "grades": grades})


def _lists(log: pl.DataFrame, owner: np.ndarray, num_owners: int) -> tuple[pa.ListArray, pa.ListArray]:
    """Cut the columns id and grade, already grouped by ascending `owner`, into one list per owner."""
    offsets = np.zeros(num_owners + 1, np.int32)
    np.cumsum(np.bincount(owner, minlength=num_owners), out=offsets[1:])
    games, grades = (pa.array(log[name].to_numpy()) for name in ("id", "grade"))
    return pa.ListArray.from_arrays(offsets, games), pa.ListArray.from_arrays(offsets, grades)
