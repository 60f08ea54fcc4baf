from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_prep.tables import check_range, integers, read_columns, read_rows
from memcom_rank.contract.errors import DatasetError
from memcom_rank.contract.manifest import read_manifest
from tests.data.tiny import write_tables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path: Path = write_tables(tmp_path / "d", histories=[[3, 2], [], [4]], test={1: [2, 1], 2: [3]})
    return path


def test_rows_of_histories_and_of_held_out_tables(folder: Path) -> None:
    manifest = read_manifest(folder)
    train, test, none = (read_rows(folder, name, manifest) for name in ("histories", "test", "validation"))
    assert [part.tolist() for part in train] == [[0, 0, 2], [3, 2, 4], [0, 1, 2]]
    assert [part.tolist() for part in test] == [[1, 1, 2], [2, 1, 3], [1, 2]]
    assert [part.tolist() for part in none] == [[], [], []]


def test_columns_are_widened() -> None:
    assert integers(pa.chunked_array([[1], [2, 3]], pa.int8())).dtype == np.int64


@pytest.mark.parametrize("damage", ["missing", "cut", "another schema"])
def test_a_table_that_cannot_be_read(folder: Path, damage: str) -> None:
    path, manifest = folder / "games.parquet", read_manifest(folder)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        pq.write_table(pa.table({"id": [1]}), path)
    with pytest.raises(DatasetError, match=r"games\.parquet (cannot be read|has columns id: int64)"):
        read_columns(folder, "games", manifest, ["id"])


def test_the_range_ends_before_its_end(folder: Path) -> None:
    check_range(folder, "test", np.array([2, 4]), 2, 5)
    check_range(folder, "test", np.array([], np.int64), 2, 5)
    for least, end in ((3, 5), (2, 4)):
        with pytest.raises(DatasetError, match="from 2 to 4\n  wanted: "):
            check_range(folder, "test", np.array([2, 4]), least, end)
