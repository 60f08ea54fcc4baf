from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memcom_rank.contract.errors import DatasetError
from memcom_rank.contract.schemas import ID_TYPES, TABLES, check_schema, file_name, schema


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("user_type", ID_TYPES)
@pytest.mark.parametrize("game_type", ID_TYPES)
def test_survives_parquet(tmp_path: Path, table: str, user_type: str, game_type: str) -> None:
    wanted = schema(table, user_type=user_type, game_type=game_type)
    pq.write_table(wanted.empty_table(), tmp_path / file_name(table))
    check_schema(table, pq.read_schema(tmp_path / file_name(table)), user_type=user_type, game_type=game_type)


def test_ids_keep_the_source_type() -> None:
    mixed = schema("games", user_type="int64", game_type="string")
    assert mixed.field("game").type == pa.string()
    assert schema("histories", user_type="int64", game_type="string").field("user").type == pa.int64()


@pytest.mark.parametrize(
    "columns",
    [
        [("row", pa.int32()), ("preferred", pa.int32()), ("other", pa.int32())],
        [("row", pa.int64()), ("preferred", pa.int32()), ("other", pa.int32()), ("weight", pa.float32())],
        [("preferred", pa.int32()), ("row", pa.int32()), ("other", pa.int32()), ("weight", pa.float32())],
    ],
    ids=["missing", "other type", "other order"],
)
def test_other_columns_are_refused(columns: list[tuple[str, pa.DataType]]) -> None:
    with pytest.raises(DatasetError, match=r"pairs.parquet has columns(.|\n)*weight: float(.|\n)*rebuild"):
        check_schema("pairs", pa.schema(columns), user_type="int64", game_type="int64")
