"""Contract room (floor 0): manifest.json, what a dataset says about itself.

Takes a dataset folder -> gives a checked `Manifest`; the digest covers the Parquet contents only, so equal data
has an equal digest wherever and whenever it was built.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from memcom_rank.contract.errors import DatasetError
from memcom_rank.contract.schemas import FIRST_GAME_ID, ID_TYPES, LABELS, TABLES, file_name

SCHEMA_VERSION = 2  # 2: labels
MANIFEST_FILE = "manifest.json"
_REBUILD = "rebuild the dataset with: python -m data_prep build --overwrite"


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a dataset is, how it was made, and how large it is.

    Attributes:
        schema_version: version of this contract; a reader refuses any other.
        source: name of the source reader ("steam200k", "table", "synthetic").
        options: every option of the build, as given or defaulted.
        seed: seed of split, sampling and (for synthetic) the world.
        user_type: "int64" or "string", the type of the source's user ids.
        game_type: "int64" or "string", the type of the source's game ids.
        timed: whether histories are in order of time.
        num_users: rows of histories.parquet.
        num_games: distinct training games, padding and unknown not counted.
        grade_edges_hours: upper play-time edges between the played grades 2, 3, ..., from training rows.
        steps: rows counted after each step of the pipeline.
        splits: statistics of each split.
        references: known figures of the data itself, e.g. {"synthetic.bayes.ndcg@10": 0.31}.
        digest: sha256 over the contents of the Parquet tables.
        labels: names of the labels, sorted; none where games are held out.
    """

    source: str
    options: dict[str, Any]
    seed: int
    user_type: str
    game_type: str
    timed: bool
    num_users: int
    num_games: int
    grade_edges_hours: list[float]
    steps: dict[str, int]
    splits: dict[str, dict[str, float]]
    references: dict[str, float]
    digest: str
    labels: list[str] = dataclasses.field(default_factory=list)
    schema_version: int = SCHEMA_VERSION

    @property
    def num_ids(self) -> int:
        """Number of game ids including padding and unknown: the embedding's vocabulary."""
        return self.num_games + FIRST_GAME_ID


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json into `folder`; equal manifests are equal bytes."""
    text = json.dumps(dataclasses.asdict(manifest), indent=2, allow_nan=False)
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of the dataset in `folder`.

    Raises:
        DatasetError: no dataset there, or its manifest is damaged or of another version.
    """
    path = folder / MANIFEST_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DatasetError(
            f"no dataset at '{folder}': {MANIFEST_FILE} is missing",
            wanted="a dataset folder made by data_prep",
            fix=f"build one with: python -m data_prep build --source ... --output {folder}",
        ) from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}", wanted="a JSON manifest", fix=_REBUILD) from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise DatasetError(
            f"{path} has schema version {version!r}",
            wanted=f"schema version {SCHEMA_VERSION}",
            fix=_REBUILD,
        )
    names = {field.name for field in dataclasses.fields(Manifest)}
    if set(raw) != names or raw["user_type"] not in ID_TYPES or raw["game_type"] not in ID_TYPES:
        odd = sorted(names ^ set(raw)) or ["user_type", "game_type"]
        raise DatasetError(f"{path} has wrong keys or values: {odd}", wanted=f"keys {sorted(names)}", fix=_REBUILD)
    return Manifest(**raw)


def content_digest(folder: Path) -> str:
    """Return "sha256:..." over names, types and values of every table.

    It does not depend on compression, row groups, metadata or the name of a list's element: each column is hashed as a
    few unbroken streams (lengths, nulls, values), however the file was cut. Without labels it is what it was before
    there were any.
    """
    total = hashlib.sha256()
    labelled = (folder / file_name(LABELS)).exists()
    for table in (*TABLES, *[LABELS] * labelled):
        with pq.ParquetFile(folder / file_name(table)) as file:
            columns = file.schema_arrow
            streams: dict[str, Any] = {}
            for batch in file.iter_batches(batch_size=64 * 1024):
                for name, column in zip(columns.names, batch.columns, strict=True):
                    _hash_column(streams, name, column)
            total.update(f"{table}:{file.metadata.num_rows}:{columns.names}\n".encode())
        for key in sorted(streams):
            total.update(f"{key}={streams[key].hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _hash_column(streams: dict[str, Any], name: str, column: pa.Array) -> None:
    """Add the values of `column` to its streams, whose keys carry name and type."""
    if column.null_count:
        raise DatasetError(f"column {name} holds nulls", wanted="no nulls in a dataset", fix=_REBUILD)
    if pa.types.is_list(column.type):
        _hash_column(streams, f"{name}.lengths", pc.list_value_length(column))
        _hash_column(streams, f"{name}.values", column.flatten())
    elif pa.types.is_string(column.type):
        _hash_column(streams, f"{name}.lengths", pc.binary_length(column))
        text = streams.setdefault(f"{name}:text", hashlib.sha256())
        text.update("".join(column.to_pylist()).encode())
    else:
        values = streams.setdefault(f"{name}:{column.type}", hashlib.sha256())
        values.update(column.to_numpy().tobytes())
