import polars as pl

from data_prep.index import add_ids, game_table
from data_prep.split import SPLIT

LOG = pl.DataFrame(
    [
        (1, "b", "Bee", "train"),
        (1, "c", None, "train"),
        (2, "a", "Ant", "train"),
        (2, "c", None, "train"),
        (4, "a", "Aunt", "test"),
        (4, "b", "Be", "train"),
        (4, "z", "Zoo", "test"),
    ],
    schema={"user": pl.Int64, "game": pl.String, "title": pl.String, "split": SPLIT},
    orient="row",
)


def test_ids_by_descending_training_popularity_then_source_id() -> None:
    # z is never trained on; a has two users but only one of them in training
    assert game_table(LOG).rows() == [(2, "b", "Be", 2), (3, "c", "c", 2), (4, "a", "Ant", 1)]
    assert game_table(LOG).schema == {"id": pl.Int32, "game": pl.String, "title": pl.String, "popularity": pl.Int64}


def test_held_out_rows_do_not_move_the_vocabulary() -> None:
    more = LOG.vstack(
        LOG.filter(pl.col("game") == "a").with_columns(user=pl.lit(9, pl.Int64), split=pl.lit("test", SPLIT))
    )
    assert game_table(more).equals(game_table(LOG))


def test_rows_by_user_and_unknown_games() -> None:
    indexed = add_ids(LOG, game_table(LOG))
    assert indexed.select("row", "id").rows() == [(0, 2), (0, 3), (1, 4), (1, 3), (2, 4), (2, 2), (2, 1)]
    assert indexed.drop("row", "id").equals(LOG)  # order kept, nothing lost
    assert indexed["row"].dtype == indexed["id"].dtype == pl.Int32


def test_integer_games_are_called_by_their_id() -> None:
    log = LOG.head(2).with_columns(game=pl.Series([7, 12]), title=pl.lit(None, pl.String))
    assert game_table(log)["title"].to_list() == ["7", "12"]


def test_order_is_stated_not_lucky() -> None:
    rows = [(user, 999 - game, "train") for user in range(200) for game in range(user % 2, 1000, 7)]
    log = pl.DataFrame(rows, schema={"user": pl.Int64, "game": pl.Int64, "split": SPLIT}, orient="row")
    log = log.with_columns(title=pl.lit(None, pl.String)).sort("user", "game")
    games = game_table(log)
    counts: dict[int, int] = {}
    for _, game, _ in rows:
        counts[game] = counts.get(game, 0) + 1
    assert games["game"].to_list() == sorted(counts, key=lambda game: (-counts[game], game))  # nearly all are ties
    assert add_ids(log, games).drop("row", "id").equals(log)
