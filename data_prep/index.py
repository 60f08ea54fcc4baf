"""Index: the source's ids -> game ids by descending training popularity, and user rows by ascending user id."""

import polars as pl

from memcom_rank.contract.schemas import FIRST_GAME_ID, UNKNOWN_ID


def game_table(log: pl.DataFrame) -> pl.DataFrame:
    """Return id, game, title, popularity of every training game, sorted by id.

    Popularity is the number of training users; equal popularity is ordered by the source's id. Held-out rows count
    for nothing here. A game without a title is called by its id.
    """
    train = log.lazy().filter(pl.col("split") == "train")
    counted = train.group_by("game").agg(pl.len().cast(pl.Int64).alias("popularity"), pl.col("title").min())
    ranked = counted.sort(["popularity", "game"], descending=[True, False]).with_row_index("id", FIRST_GAME_ID)
    title = pl.col("title").fill_null(pl.col("game").cast(pl.String))
    return ranked.select(pl.col("id").cast(pl.Int32), "game", title, "popularity").collect()


def add_ids(log: pl.DataFrame, games: pl.DataFrame) -> pl.DataFrame:
    """Return `log`, still sorted by (user, game), with int32 columns `row` and `id`.

    Args:
        log: sorted by (user, game).
        games: `game_table`; a game missing there gets the unknown id.
    """
    joined = log.join(games.select("game", "id"), on="game", how="left", maintain_order="left")
    row = pl.col("user").rle_id().cast(pl.Int32).alias("row")
    return joined.with_columns(row, pl.col("id").fill_null(UNKNOWN_ID))
