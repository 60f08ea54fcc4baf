"""Statistics: the finished tables -> the manifest's figures of each split."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_prep.times import later_rows
from memcom_rank.contract.schemas import GAMES, HISTORIES, TEST, UNKNOWN_ID, VALIDATION


def split_statistics(log: pl.DataFrame, tables: dict[str, pa.Table]) -> dict[str, dict[str, float]]:
    """Return figures by split.

    train: rows; users (with at least one game); games; popularity_gini; median_owned (games per such user); grade_G
    (rows of each grade); those of `later_rows` where the log is timed. validation and test: rows; users; unknown_rows
    (games absent from training); cold_users (whose history at evaluation is empty; at test the validation games belong
    to the history).
    """
    train = log.filter(pl.col("split") == "train")
    lengths = pc.list_value_length(tables[HISTORIES]["games"]).to_numpy()
    grades = train.group_by("grade").len().sort("grade")
    figures: dict[str, dict[str, float]] = {
        "train": {
            "rows": train.height,
            "users": int((lengths > 0).sum()),
            "games": tables[GAMES].num_rows,
            "popularity_gini": round(gini(tables[GAMES]["popularity"].to_numpy()), 4),
            "median_owned": float(np.median(lengths[lengths > 0])),
            **{f"grade_{grade}": count for grade, count in grades.rows()},
            **(_later(log) if "timestamp" in log.columns else {}),
        }
    }
    warm = lengths > 0
    for name in (VALIDATION, TEST):
        rows = tables[name]["row"].to_numpy()
        games = log.filter(pl.col("split") == name)["id"]
        figures[name] = {
            "rows": games.len(),
            "users": len(rows),
            "unknown_rows": int((games == UNKNOWN_ID).sum()),
            "cold_users": int((~warm[rows]).sum()),
        }
        warm[rows] = True
    return figures


def _later(log: pl.DataFrame) -> dict[str, float]:
    train, test = ((log["split"] == name).to_numpy() for name in ("train", "test"))
    return later_rows(log["row"].to_numpy(), log["timestamp"].to_numpy(), train, test)


def gini(counts: np.ndarray) -> float:
    """Return the Gini coefficient of positive counts: 0 all equal, near 1 all on one."""
    ordered = np.sort(counts).astype(np.float64)
    ranks = np.arange(1, len(ordered) + 1)
    return float((2 * ranks - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))
