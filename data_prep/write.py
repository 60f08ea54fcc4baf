"""Write: the tables and the manifest -> a dataset folder that appears whole or not at all."""

import dataclasses
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from memcom_rank.contract.errors import DatasetError, WriteError
from memcom_rank.contract.files import check_new, new_folder
from memcom_rank.contract.manifest import MANIFEST_FILE, Manifest, content_digest, write_manifest
from memcom_rank.contract.schemas import ROW_GROUP_ROWS, file_name, schema


def check_output(target: Path, *, overwrite: bool) -> None:
    """Refuse, before any work is done, an output that may not be made.

    Raises:
        DatasetError: it exists and `overwrite` is false, or it holds something that is not a dataset.
        WriteError: nothing can be written there.
    """
    try:
        place = next(folder for folder in target.absolute().parents if folder.exists())
        check_new(target, overwrite=overwrite)
        # Permissions alone do not tell: root has them all, on a read-only disk too. So a folder is made and removed.
        Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=place)).rmdir()
    except OSError as error:
        raise WriteError(
            f"'{target}' cannot be made: {error.strerror or error}",
            wanted="a folder that can be made and written to",
            fix="choose another --output, or mend the permissions",
        ) from error
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / MANIFEST_FILE).exists()):
        raise DatasetError(
            f"'{target}' is not a dataset (no {MANIFEST_FILE}), so --overwrite will not delete it",
            wanted="a new folder, an empty folder or a dataset",
            fix="choose another --output",
        )


def write_dataset(target: Path, tables: dict[str, pa.Table], manifest: Manifest, *, overwrite: bool) -> Manifest:
    """Write the dataset folder `target`.

    Args:
        target: the folder.
        tables: every table of the contract for this kind of dataset, by name; cast to the contract's types here.
        manifest: what to say about them, its digest not yet known.
        overwrite: replace a dataset that is already there.

    Returns:
        The manifest with the digest, as written.

    Raises:
        WriteError: disk full or no permission; nothing half-written is left.
    """
    with new_folder(target, overwrite=overwrite) as folder:
        for name, table in tables.items():
            wanted = schema(name, user_type=manifest.user_type, game_type=manifest.game_type)
            pq.write_table(
                table.cast(wanted), folder / file_name(name), row_group_size=ROW_GROUP_ROWS, compression="zstd"
            )
        manifest = dataclasses.replace(manifest, digest=content_digest(folder))
        write_manifest(folder, manifest)
    return manifest
