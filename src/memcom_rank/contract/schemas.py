"""Contract room (floor 0): names, columns and types of the files in a dataset folder.

Game ids: 0 is padding, 1 is the unknown game, real games start at 2 by descending training popularity.
A user's `row` is its position in histories.parquet; the other tables refer to users by it.

A dataset is of one of two kinds. Of held-out games: a user's training games are its history, other games are held out.
Labelled: whole users are held out, all their games are their history, games that no training user has have id 1, the
tables of held-out games and of pairs are empty, and labels.parquet says who is in which split with which label.
"""

import pyarrow as pa

from memcom_rank.contract.errors import DatasetError

PADDING_ID = 0
UNKNOWN_ID = 1
FIRST_GAME_ID = 2
ROW_GROUP_ROWS = 128 * 1024

GRADE_OWNED = 1  # owned, never played; grades above are play-time bins; a game not owned has grade 0

HISTORIES, PAIRS, VALIDATION, TEST, GAMES = "histories", "pairs", "validation", "test", "games"
TABLES = (HISTORIES, PAIRS, VALIDATION, TEST, GAMES)
LABELS = "labels"  # beside `TABLES` in a labelled dataset, and in no other
TRAIN = "train"
SPLITS = (TRAIN, VALIDATION, TEST)
MAX_LABELS = 1_000

_ID = pa.null()  # stands for the source's own id type: int64 or string, named in the manifest
_GAMES = [("games", pa.list_(pa.int32())), ("grades", pa.list_(pa.int8()))]

_SCHEMAS: dict[str, list[tuple[str, pa.DataType]]] = {
    # one row per user, sorted by user id; games in order of time where the source has time, else by game id
    HISTORIES: [("user", _ID), *_GAMES],
    # graded pairs among a user's own training games, sorted by row
    PAIRS: [("row", pa.int32()), ("preferred", pa.int32()), ("other", pa.int32()), ("weight", pa.float32())],
    # one row per evaluated user, sorted by row; a held-out game absent from training has id 1
    VALIDATION: [("row", pa.int32()), *_GAMES],
    TEST: [("row", pa.int32()), *_GAMES],
    # sorted by id; popularity counts training users
    GAMES: [("id", pa.int32()), ("game", _ID), ("title", pa.string()), ("popularity", pa.int64())],
    # one row per user, sorted by row; split is one of `SPLITS`, label one of the manifest's `labels`
    LABELS: [("row", pa.int32()), ("split", pa.string()), ("label", pa.string())],
}

ID_TYPES = {"int64": pa.int64(), "string": pa.string()}


def file_name(table: str) -> str:
    """Return the file that holds `table` inside a dataset folder."""
    return f"{table}.parquet"


def schema(table: str, *, user_type: str, game_type: str) -> pa.Schema:
    """Return the Arrow schema of `table`, with the source's own id types filled in.

    Args:
        table: one of `TABLES`, or `LABELS`.
        user_type: "int64" or "string".
        game_type: "int64" or "string".
    """
    own = {"user": ID_TYPES[user_type], "game": ID_TYPES[game_type]}
    return pa.schema([(name, own.get(name, kind)) for name, kind in _SCHEMAS[table]])


def check_schema(table: str, seen: pa.Schema, *, user_type: str, game_type: str) -> None:
    """Refuse a table whose columns or types are not the contract's.

    Raises:
        DatasetError: a column is missing, extra, out of order or of another type.
    """
    wanted = schema(table, user_type=user_type, game_type=game_type)
    if [(f.name, f.type) for f in seen] != [(f.name, f.type) for f in wanted]:
        raise DatasetError(
            f"{file_name(table)} has columns {_words(seen)}",
            wanted=_words(wanted),
            fix="rebuild the dataset with: python -m data_prep build",
        )


def _words(columns: pa.Schema) -> str:
    return ", ".join(f"{f.name}: {_type_word(f.type)}" for f in columns)


def _type_word(kind: pa.DataType) -> str:
    return f"list<{kind.value_type}>" if pa.types.is_list(kind) else str(kind)
