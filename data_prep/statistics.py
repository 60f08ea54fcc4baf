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
    lengths = pc.list_value_length(tables[HISTORIES]["games"]).to_numpy()
    figures = {"train": _train(log, tables, lengths) | (_later(log) if "timestamp" in log.columns else {})}
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


def label_statistics(
    log: pl.DataFrame, tables: dict[str, pa.Table], users: pl.DataFrame
) -> dict[str, dict[str, float]]:
    """Return figures by split of a labelled dataset.

    train: as `split_statistics`, of the training users and without later rows; label_NAME (users of each label).
    validation and test: rows; users; unknown_rows (games that no training user has); cold_users (who have no other);
    unknown_labels (users whose label no training user has).

    Args:
        log: indexed rows of all users; every user has one or more.
        tables: those of the dataset.
        users: user, label, split; sorted by user.
    """
    lengths = pc.list_value_length(tables[HISTORIES]["games"]).to_numpy()
    trained = users.filter(pl.col("split") == "train")["label"]
    counts = trained.value_counts().sort("label")
    figures = {
        "train": _train(log, tables, lengths[(users["split"] == "train").to_numpy()])
        | {f"label_{label}": count for label, count in counts.rows()}
    }
    for name in (VALIDATION, TEST):
        rows, own = log.filter(pl.col("split") == name), users.filter(pl.col("split") == name)
        warm = rows.filter(pl.col("id") != UNKNOWN_ID)
        figures[name] = {
            "rows": rows.height,
            "users": own.height,
            "unknown_rows": rows.height - warm.height,
            "cold_users": own.height - warm["user"].n_unique(),
            "unknown_labels": int((~own["label"].is_in(trained.unique().implode())).sum()),
        }
    return figures


def _train(log: pl.DataFrame, tables: dict[str, pa.Table], lengths: np.ndarray) -> dict[str, float]:
    """Figures of the training split; `lengths` are those of the training users' histories."""
    train = log.filter(pl.col("split") == "train")
    return {
        "rows": train.height,
        "users": int((lengths > 0).sum()),
        "games": tables[GAMES].num_rows,
        "popularity_gini": round(gini(tables[GAMES]["popularity"].to_numpy()), 4),
        "median_owned": float(np.median(lengths[lengths > 0])),
        **{f"grade_{grade}": count for grade, count in train.group_by("grade").len().sort("grade").rows()},
    }


def _later(log: pl.DataFrame) -> dict[str, float]:
    train, test = ((log["split"] == name).to_numpy() for name in ("train", "test"))
    return later_rows(log["row"].to_numpy(), log["timestamp"].to_numpy(), train, test)


def gini(counts: np.ndarray) -> float:
    """Return the Gini coefficient of positive counts: 0 all equal, near 1 all on one."""
    ordered = np.sort(counts).astype(np.float64)
    ranks = np.arange(1, len(ordered) + 1)
    return float((2 * ranks - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))
