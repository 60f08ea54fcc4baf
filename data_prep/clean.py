"""Clean: a raw log -> one row per (user, game), sorted by (user, game), so that row order carries nothing.

In:  user, game, title, engagement_hours (null: not played), and where the source has them timestamp, split.
Out: the same columns; hours are summed (0: never played), time is the earliest, and of several splits the earliest in
     the order train, validation, test wins, so that a training game is never held out as well.
"""

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
    # Float addition depends on order, and input order must not matter: a running sum of sorted hours. Polars drops the
    # sort of `sort().sum()`. Nulls sort first, so the last running sum is the total.
    rules = {
        "title": pl.col("title").min(),
        "engagement_hours": pl.col("engagement_hours").sort().cum_sum().last().fill_null(0.0),
        "timestamp": pl.col("timestamp").min(),
        "split": pl.col("split").min(),
    }
    wanted = [rules[name] for name in log.columns if name in rules]
    return log.lazy().group_by("user", "game").agg(wanted).sort("user", "game").collect()
