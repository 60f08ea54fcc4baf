"""Source steam200k: "Steam Video Games" of Kaggle (Tamber), exactly as published.

A CSV without header: user id, game title, behaviour, value, 0. A `purchase` row says owned; a `play` row gives hours.
The title is the game's id: there is no other.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.files import check_file, collect_all_fields, reading, refuse_short_rows, shown
from memcom_rank.contract.errors import InputError

_COLUMNS = {"user": pl.Int64, "game": pl.String, "behaviour": pl.String, "value": pl.Float64, "zero": pl.Float64}
_WANTED = 'five columns without a header, like 151603712,"Fallout 4",play,87.0,0'


def read_steam200k(path: Path) -> pl.DataFrame:
    """Return user (int64), game (string), title, engagement_hours (null for a purchase), one row per line.

    Raises:
        InputError: the file is missing, empty, or of another form.
    """
    check_file(path)
    with reading(path, wanted=_WANTED):
        width = len(pl.scan_csv(path, has_header=False, infer_schema=False).collect_schema())
        if width != len(_COLUMNS):
            raise _other_form(f"input '{path}' has {width} columns")
        log = collect_all_fields(pl.scan_csv(path, has_header=False, schema=_COLUMNS))
    refuse_short_rows(path, log["zero"])
    known = pl.col("behaviour").is_in(["purchase", "play"]).fill_null(False)
    odd = log.filter(~known | ((pl.col("behaviour") == "play") & pl.col("value").is_null()))
    if odd.height:
        example = odd.select("behaviour", "value").sort("behaviour", "value").row(0)
        raise _other_form(
            f"{odd.height:,} lines of '{path}' are neither a purchase nor hours of play, e.g. {shown(repr(example))}"
        )
    hours = pl.when(pl.col("behaviour") == "play").then("value")
    return log.select("user", "game", pl.col("game").alias("title"), hours.alias("engagement_hours"))


def _other_form(seen: str) -> InputError:
    fix = "check that --input is the steam-200k.csv of Kaggle, or use --source table"
    return InputError(seen, wanted=_WANTED, fix=fix)
