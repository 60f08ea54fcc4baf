import dataclasses
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memcom_rank.contract.errors import DatasetError
from memcom_rank.contract.manifest import MANIFEST_FILE, Manifest, content_digest, read_manifest, write_manifest
from memcom_rank.contract.schemas import LABELS, TABLES, file_name, schema

MANIFEST = Manifest(
    source="table",
    options={"split": "holdout"},
    seed=1,
    user_type="int64",
    game_type="string",
    timed=False,
    num_users=3,
    num_games=4,
    grade_edges_hours=[1.5],
    steps={"read": 9},
    splits={"train": {"rows": 5}},
    references={},
    digest="sha256:0",
)

ROWS = {
    "histories": [{"user": 7, "games": [2, 3], "grades": [1, 2]}, {"user": 9, "games": [], "grades": []}],
    "pairs": [{"row": 0, "preferred": 3, "other": 2, "weight": 0.5}],
    "validation": [{"row": 0, "games": [4], "grades": [1]}],
    "test": [{"row": 0, "games": [1], "grades": [1]}],
    "games": [{"id": 2 + i, "game": name, "title": name, "popularity": 1} for i, name in enumerate("ab")],
}


def _write(folder: Path, rows: dict[str, list[dict[str, object]]] = ROWS, **options: object) -> str:
    folder.mkdir()
    for name in TABLES:
        table = pa.Table.from_pylist(rows[name], schema(name, user_type="int64", game_type="string"))
        pq.write_table(table, folder / file_name(name), **options)
    return content_digest(folder)


def test_the_digest_of_a_dataset_without_labels_is_what_it_was_before_there_were_any(tmp_path: Path) -> None:
    """Checkpoints know their dataset by it."""
    assert _write(tmp_path / "a") == "sha256:9e3ab5d74d170370dcec3a19f39e191b93d9c48f5531d9c14df4c7ffe9f562a6"


def test_labels_are_in_the_digest(tmp_path: Path) -> None:
    found = [_write(tmp_path / "none")]
    for name in ("one", "other"):
        _write(tmp_path / name)
        rows = [{"row": 0, "split": "train", "label": name}, {"row": 1, "split": "test", "label": "one"}]
        table = pa.Table.from_pylist(rows, schema(LABELS, user_type="int64", game_type="string"))
        pq.write_table(table, tmp_path / name / file_name(LABELS))
        found.append(content_digest(tmp_path / name))
    assert len(set(found)) == 3


def test_round_trip(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    assert read_manifest(tmp_path) == MANIFEST
    assert MANIFEST.num_ids == 6  # padding and unknown


def test_equal_manifests_are_equal_bytes(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    first = (tmp_path / MANIFEST_FILE).read_bytes()
    write_manifest(tmp_path, dataclasses.replace(MANIFEST))
    assert (tmp_path / MANIFEST_FILE).read_bytes() == first


def test_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no dataset at(.|\n)*python -m data_prep build"):
        read_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["{", "\x00\x01", "[1]", '"x"'])
def test_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST_FILE).write_text(text)
    with pytest.raises(DatasetError, match=r"(cannot be read|has schema version None)(.|\n)*--overwrite"):
        read_manifest(tmp_path)


def test_other_version(tmp_path: Path) -> None:
    raw = dataclasses.asdict(MANIFEST) | {"schema_version": 99}
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(raw))
    with pytest.raises(DatasetError, match=r"schema version 99(.|\n)*wanted: schema version 2(.|\n)*--overwrite"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("change", [{"extra": 1}, {"user_type": "uint8"}])
def test_other_keys_or_id_types(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(dataclasses.asdict(MANIFEST) | change))
    with pytest.raises(DatasetError, match=r"wrong keys or values: \['(extra|user_type)"):
        read_manifest(tmp_path)


def test_digest_sees_values_only(tmp_path: Path) -> None:
    first = _write(tmp_path / "a")
    assert first.startswith("sha256:")
    assert _write(tmp_path / "b", row_group_size=1, compression="none") == first
    assert _write(tmp_path / "c", version="1.0", use_dictionary=False, store_schema=False) == first


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("histories", {"user": 7, "games": [3, 2], "grades": [1, 2]}),
        ("histories", {"user": 7, "games": [2, 3], "grades": [1, 3]}),
        ("histories", {"user": 8, "games": [2, 3], "grades": [1, 2]}),
        ("pairs", {"row": 0, "preferred": 3, "other": 2, "weight": 0.25}),
        ("games", {"id": 2, "game": "c", "title": "a", "popularity": 1}),
    ],
)
def test_digest_sees_every_value(tmp_path: Path, table: str, row: dict[str, object]) -> None:
    changed = ROWS | {table: [row, *ROWS[table][1:]]}
    assert _write(tmp_path / "a") != _write(tmp_path / "b", changed)


def test_digest_sees_where_lists_and_texts_end(tmp_path: Path) -> None:
    moved = [{"user": 7, "games": [2], "grades": [1]}, {"user": 9, "games": [3], "grades": [2]}]
    assert _write(tmp_path / "a") != _write(tmp_path / "b", ROWS | {"histories": moved})
    rest = {"popularity": 1, "title": "t"}
    one, other = ([{"id": 2, "game": a, **rest}, {"id": 3, "game": b, **rest}] for a, b in (("ab", "c"), ("a", "bc")))
    assert _write(tmp_path / "c", ROWS | {"games": one}) != _write(tmp_path / "d", ROWS | {"games": other})


def test_nulls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="title holds nulls"):
        _write(tmp_path / "a", ROWS | {"games": [{"id": 2, "game": "a", "title": None, "popularity": 1}]})
