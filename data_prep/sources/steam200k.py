"""Source steam200k: "Steam Video Games" of Kaggle (Tamber), exactly as published.

A CSV without header: user id, game title, behaviour, value, 0. A `purchase` row says owned; a `play` row gives hours.
The title is the game's id: there is no other.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.files import check_file, reading
from memcom_rank.contract.errors import InputError

_COLUMNS = {"user": pl.Int64, "game": pl.String, "behaviour": pl.String, "value": pl.Float64, "zero": pl.Float64}


def read_steam200k(path: Path) -> pl.DataFrame:
    """Return user (int64), game (string), title, engagement_hours (null for a purchase), one row per line.

    Raises:
        InputError: the file is missing, empty, or of another form.
    """
    check_file(path)
    with reading(path, wanted='lines like 151603712,"Fallout 4",play,87.0,0'):
        log = pl.scan_csv(path, has_header=False, schema=_COLUMNS).drop("zero").collect()
    odd = log.filter(~pl.col("behaviour").is_in(["purchase", "play"]) | pl.col("behaviour").is_null())
    if odd.height:
        raise InputError(
            f"{odd.height:,} lines of '{path}' are neither purchase nor play, e.g. {odd['behaviour'].min()!r}",
            wanted="purchase or play in the third column",
            fix="check that --input is the steam-200k.csv of Kaggle, or use --source table",
        )
    hours = pl.when(pl.col("behaviour") == "play").then("value")
    return log.select("user", "game", pl.col("game").alias("title"), hours.alias("engagement_hours"))
