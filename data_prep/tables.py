"""Tables: a dataset folder -> its rows as arrays, for the reports. No polars, so that `describe` answers at once."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from memcom_rank.contract.errors import DatasetError
from memcom_rank.contract.manifest import Manifest
from memcom_rank.contract.schemas import FIRST_GAME_ID, HISTORIES, UNKNOWN_ID, check_schema, file_name

_REBUILD = "rebuild the dataset with: python -m data_prep build --overwrite"
Integers = NDArray[np.int64]


class Rows(NamedTuple):
    """The (user, game) rows of one split.

    Attributes:
        owners: (rows,) positions in histories.parquet.
        games: (rows,) game ids.
        listed: (users of the split,) the positions as the table lists them; in histories all of them.
    """

    owners: Integers
    games: Integers
    listed: Integers


def read_columns(folder: Path, table: str, manifest: Manifest, columns: list[str]) -> pa.Table:
    """Return columns of a table.

    Raises:
        DatasetError: the file is missing, damaged or not of the contract's schema.
    """
    path = folder / file_name(table)
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            check_schema(table, file.schema_arrow, user_type=manifest.user_type, game_type=manifest.game_type)
            return file.read(columns)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path} cannot be read: {error}", wanted="a whole Parquet file", fix=_REBUILD) from error


def read_rows(folder: Path, table: str, manifest: Manifest) -> Rows:
    """Return the rows of histories (training), validation or test.

    Raises:
        DatasetError: as `read_columns`, or users or games that the manifest does not know.
    """
    found = read_columns(folder, table, manifest, ["games"] if table == HISTORIES else ["row", "games"])
    listed = np.arange(found.num_rows) if table == HISTORIES else integers(found["row"])
    games = integers(pc.list_flatten(found["games"]))
    check_range(folder, table, listed, 0, manifest.num_users)
    least = FIRST_GAME_ID if table == HISTORIES and not manifest.labels else UNKNOWN_ID
    check_range(folder, table, games, least, manifest.num_ids)
    return Rows(np.repeat(listed, integers(pc.list_value_length(found["games"]))), games, listed)


def integers(column: pa.ChunkedArray) -> Integers:
    """Return a column of integers as int64."""
    return column.to_numpy().astype(np.int64)  # type: ignore[no-any-return]  # pyarrow is untyped


def check_range(folder: Path, table: str, values: Integers, least: int, end: int) -> None:
    """Refuse rows or ids outside least .. end - 1.

    Raises:
        DatasetError: the table does not fit the manifest.
    """
    if len(values) and not least <= values.min() <= values.max() < end:
        raise DatasetError(
            f"{folder / file_name(table)} holds rows or ids from {values.min()} to {values.max()}",
            wanted=f"{least} to {end - 1}, as its manifest says",
            fix=_REBUILD,
        )
