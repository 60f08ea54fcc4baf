"""Grade: hours -> grades 1 (owned, unplayed) and 2.. (play-time bins), with bin edges from the training rows only."""

import math

import polars as pl

from memcom_rank.contract.schemas import GRADE_OWNED


def grade_edges(train_hours: pl.Series, bins: int) -> list[float]:
    """Return the upper edges in hours that cut positive training hours into `bins` bins of equal counts.

    An edge is an observed value (the smallest that at least k/bins of the rows do not exceed). Equal edges are merged,
    and an edge that nothing exceeds is dropped, so there may be fewer than bins - 1.
    """
    hours = train_hours.filter(train_hours > 0).sort()
    if hours.is_empty():
        return []
    ranks = [math.ceil(hours.len() * k / bins) - 1 for k in range(1, bins)]
    largest = hours[-1]
    return sorted({hours[max(rank, 0)] for rank in ranks} - {largest})


def add_grades(log: pl.DataFrame, edges: list[float]) -> pl.DataFrame:
    """Return `log` with an int8 column `grade`; hours equal to an edge belong to the bin below it."""
    hours = pl.col("engagement_hours")
    played = GRADE_OWNED + 1 + pl.sum_horizontal([(hours > edge).cast(pl.Int8) for edge in edges] or [pl.lit(0)])
    return log.with_columns(pl.when(hours > 0).then(played).otherwise(GRADE_OWNED).cast(pl.Int8).alias("grade"))
