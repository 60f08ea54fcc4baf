import errno
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_prep.write import check_output, write_dataset
from memcom_rank.contract.errors import DatasetError, WriteError
from memcom_rank.contract.manifest import Manifest, content_digest, read_manifest
from memcom_rank.contract.schemas import ROW_GROUP_ROWS, TABLES, check_schema, file_name

MANIFEST = Manifest(
    source="table", options={}, seed=1, user_type="string", game_type="int64", timed=False, num_users=2, num_games=1,
    grade_edges_hours=[], steps={}, splits={}, references={}, digest="",
)  # fmt: skip


def _tables(num_pairs: int = 1) -> dict[str, pa.Table]:
    lists = {"games": pa.array([[2], []], pa.list_(pa.int64())), "grades": pa.array([[1], []], pa.list_(pa.int8()))}
    held_out = pa.table({"row": pa.array([0, 1], pa.int32()), **lists})
    return {
        "histories": pa.table({"user": pa.array(["a", "b"], pa.large_string()), **lists}),
        "validation": held_out,
        "test": held_out,
        "games": pa.table({"id": [2], "game": [7], "title": pa.array(["G"], pa.large_string()), "popularity": [1]}),
        "pairs": pa.table({"row": [0] * num_pairs, "preferred": [3] * num_pairs, "other": [2] * num_pairs,
                           "weight": [0.5] * num_pairs}),
    }  # fmt: skip


def test_reads_back_as_the_contract_says(tmp_path: Path) -> None:
    manifest = write_dataset(tmp_path / "d", _tables(), MANIFEST, overwrite=False)
    assert read_manifest(tmp_path / "d") == manifest
    assert manifest.digest == content_digest(tmp_path / "d")
    for name in TABLES:
        table = pq.read_table(tmp_path / "d" / file_name(name))
        check_schema(name, table.schema, user_type="string", game_type="int64")
        assert table.to_pylist() == _tables()[name].to_pylist()
    assert len(list((tmp_path / "d").iterdir())) == len(TABLES) + 1


def test_row_groups_stay_small(tmp_path: Path) -> None:
    write_dataset(tmp_path / "d", _tables(ROW_GROUP_ROWS + 1), MANIFEST, overwrite=False)
    metadata = pq.read_metadata(tmp_path / "d" / "pairs.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [ROW_GROUP_ROWS, 1]


def test_full_disk_keeps_the_old_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = write_dataset(tmp_path / "d", _tables(), MANIFEST, overwrite=False)
    real, calls = pq.write_table, []

    def fill_up(*args: object, **kwargs: object) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*args, **kwargs)

    monkeypatch.setattr(pq, "write_table", fill_up)
    with pytest.raises(WriteError, match="No space left on device"):
        write_dataset(tmp_path / "d", _tables(5), MANIFEST, overwrite=True)
    assert read_manifest(tmp_path / "d") == old
    assert content_digest(tmp_path / "d") == old.digest
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_overwrite_deletes_datasets_only(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DatasetError, match=r"is not a dataset(.|\n)*choose another --output"):
        check_output(tmp_path, overwrite=True)
    with pytest.raises(DatasetError, match="is not a dataset"):
        check_output(tmp_path / "thesis.tex", overwrite=True)
    (tmp_path / "empty").mkdir()
    check_output(tmp_path / "empty", overwrite=True)
    (tmp_path / "manifest.json").write_text(json.dumps({}))
    check_output(tmp_path, overwrite=True)


@pytest.mark.parametrize("below", ["d", "d/e/f"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_place_below_a_file_is_refused_at_once(tmp_path: Path, below: str, overwrite: bool) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"/file/.* cannot be made: Not a directory(.|\n)*choose another --output"):
        check_output(tmp_path / "file" / below, overwrite=overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_unwritable_place_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    def read_only(**_: object) -> str:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", read_only)
    (tmp_path / "d").mkdir()
    with pytest.raises(WriteError, match="cannot be made: Read-only file system"):
        check_output(tmp_path / "d" if overwrite else tmp_path / "new", overwrite=overwrite)


def test_the_check_leaves_nothing_behind(tmp_path: Path) -> None:
    check_output(tmp_path / "a" / "b", overwrite=False)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(WriteError, match="cannot be made: File name too long"):
        check_output(tmp_path / ("x" * 300), overwrite=False)


def test_existing_output_needs_overwrite(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="already exists"):
        check_output(tmp_path, overwrite=False)
    check_output(tmp_path / "new", overwrite=False)
