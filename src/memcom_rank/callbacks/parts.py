"""Callbacks room (floor 4): one Parquet file from the tables of all processes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pytorch_lightning import Trainer

from memcom_rank.contract.files import new_file
from memcom_rank.contract.schemas import ROW_GROUP_ROWS


def write_joined(trainer: Trainer, folder: Path, file: str, part: pa.Table) -> int:
    """Write the parts of all processes as one file, in the dataset's order of users; every process must call it.

    Args:
        trainer: knows the processes.
        folder: the run's folder; only rank 0's counts, the others learn it from there.
        file: name of the file inside it.
        part: this process's rows, with a column `row` to sort by, which is not written.

    Returns:
        The rows written, on rank 0; 0 elsewhere.
    """
    target: Path = trainer.strategy.broadcast(folder) / file
    with new_file(target.with_name(f"{target.stem}-part-{trainer.global_rank:05d}.parquet")) as path:
        pq.write_table(part, path)
    trainer.strategy.barrier(file)
    if not trainer.is_global_zero:
        return 0
    parts = sorted(target.parent.glob(f"{target.stem}-part-*.parquet"))
    table = pa.concat_tables([pq.read_table(part) for part in parts])
    small = pa.schema(field.with_type(_small(field.type)) for field in table.schema if field.name != "row")
    large = pa.schema(field.with_type(_large(field.type)) for field in table.schema)
    table = table.cast(large).sort_by("row").drop_columns("row")
    with new_file(target) as path, pq.ParquetWriter(path, small) as writer:
        for first in range(0, table.num_rows, ROW_GROUP_ROWS):
            writer.write_table(table.slice(first, ROW_GROUP_ROWS).cast(small))
    for written in parts:
        written.unlink()
    return int(table.num_rows)


def wide_text(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return text as a column that holds more than 2 GiB of it; what is no text as it is."""
    return values.cast(_large(values.type))


def _large(kind: pa.DataType) -> pa.DataType:
    return pa.large_string() if pa.types.is_string(kind) else kind


def _small(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) else kind
