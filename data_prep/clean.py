"""Clean: a raw log -> one row per (user, game), sorted by (user, game), so that row order carries nothing.

In:  user, game, title, engagement_hours (null: not played), and where the source has them timestamp, split.
Out: the same columns; hours are summed (0: never played), time is the earliest, and of several splits the earliest in
     the order train, validation, test wins, so that a training game is never held out as well.
"""

import numpy as np
import polars as pl

from memcom_rank.contract.errors import InputError


def check_values(log: pl.DataFrame) -> None:
    """Refuse values that no play log should hold.

    Raises:
        InputError: no rows, null ids, or hours that are negative or not finite.
    """
    if log.is_empty():
        raise InputError("the log has no rows", wanted="at least one row", fix="check --input")
    for name in ("user", "game"):
        nulls = log[name].null_count()
        if nulls:
            raise InputError(
                f"{nulls:,} of {log.height:,} rows have no {name} id",
                wanted=f"a {name} id in every row",
                fix="remove those rows, or map another column",
            )
    hours = pl.col("engagement_hours")
    bad = log.lazy().filter((hours < 0) | ~hours.is_finite()).sort("user", "game", "engagement_hours").collect()
    if bad.height:
        first = bad.row(0, named=True)
        raise InputError(
            f"{bad.height:,} rows have negative or non-finite hours, e.g. {first['engagement_hours']}"
            f" of user {first['user']!r} and game {first['game']!r}",
            wanted="hours of 0 or more",
            fix="mend or remove those rows",
        )


def drop_untimed(log: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that say when; a row without time has no place before or after a held-out game.

    Raises:
        InputError: no row has a time.
    """
    if "timestamp" not in log.columns:
        return log
    timed = log.drop_nulls("timestamp")
    if timed.is_empty():
        raise InputError(
            f"none of {log.height:,} rows has a timestamp", wanted="times", fix="map another column, or none"
        )
    return timed


def merge_pairs(log: pl.DataFrame) -> pl.DataFrame:
    """Return one row per (user, game), sorted by (user, game)."""
    # Float addition depends on order and input order must not matter, so the hours of a pair are added in a stated
    # order. (A Polars `sort().sum()` will not do: the sort is optimised away.)
    ordered = log.sort("user", "game", "engagement_hours", "title")
    new_pair = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in ("user", "game"))
    starts = ordered.select(new_pair.arg_true()).to_series().to_numpy()
    hours = ordered["engagement_hours"].fill_null(0.0).to_numpy()
    merged = [pl.Series("engagement_hours", np.add.reduceat(hours, starts))]
    if "timestamp" in log.columns:
        merged.append(pl.Series("timestamp", np.minimum.reduceat(ordered["timestamp"].to_numpy(), starts)))
    if "split" in log.columns:
        earliest = np.minimum.reduceat(ordered["split"].to_physical().to_numpy(), starts)
        merged.append(pl.Series("split", earliest).cat.to(log.schema["split"]))
    return ordered[starts].with_columns(merged)
