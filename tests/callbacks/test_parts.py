import threading
import types

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memcom_rank.callbacks import parts as module
from memcom_rank.callbacks.parts import wide_text, write_joined


class Strategy:
    """Processes played by threads: a meeting point, and one folder that rank 0 tells the others."""

    def __init__(self, folder, processes):
        self.folder, self.meeting = folder, threading.Barrier(processes, timeout=10)

    def broadcast(self, value):
        return self.folder

    def barrier(self, name):
        self.meeting.wait()


def trainer(strategy, rank):
    return types.SimpleNamespace(strategy=strategy, global_rank=rank, is_global_zero=rank == 0)


def written(folder, parts):
    """What each rank's call returned."""
    strategy, returned = Strategy(folder, len(parts)), {}

    def run(rank):
        own = folder if rank == 0 else folder / "unknown"
        returned[rank] = write_joined(trainer(strategy, rank), own, "users.parquet", parts[rank])

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return returned


def part(*rows):
    return pa.table({"row": pa.array(rows, pa.int64()), "user": pa.array([f"u{row}" for row in rows], pa.string())})


@pytest.mark.parametrize("parts", [[part(2, 0, 1, 3)], [part(3, 1), part(2, 0)], [part(0, 2), part(), part(3, 1)]])
def test_one_file_in_order_of_rows_and_no_parts_left(tmp_path, parts):
    returned = written(tmp_path, parts)
    assert returned == {rank: 4 * (rank == 0) for rank in range(len(parts))}
    assert [path.name for path in tmp_path.iterdir()] == ["users.parquet"]
    assert pq.read_table(tmp_path / "users.parquet").to_pydict() == {"user": ["u0", "u1", "u2", "u3"]}


def test_nobody_makes_an_empty_file(tmp_path):
    assert written(tmp_path, [part(), part()]) == {0: 0, 1: 0}
    assert pq.read_table(tmp_path / "users.parquet").to_pydict() == {"user": []}


def test_columns_of_more_text_than_plain_strings_hold_are_written_as_these(tmp_path, monkeypatch):
    """Wide while rows are taken and sorted, plain strings in the file, a row group at a time."""
    monkeypatch.setattr(module, "ROW_GROUP_ROWS", 3)
    rows = list(reversed(range(8)))
    table = pa.table(
        {"row": rows, "user": wide_text(pa.array([f"u{row}" for row in rows])), "rank": wide_text(pa.array(rows))}
    )
    assert table.schema.types == [pa.int64(), pa.large_string(), pa.int64()]
    assert written(tmp_path, [table]) == {0: 8}
    file = pq.ParquetFile(tmp_path / "users.parquet")
    assert file.num_row_groups == 3
    assert file.schema_arrow.types == [pa.string(), pa.int64()]
    assert file.read().to_pydict() == {"user": [f"u{row}" for row in range(8)], "rank": list(range(8))}
