"""Data room (floor 2): a dataset folder -> tensors, checked against the contract. Read with pyarrow, memory-mapped."""

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from memcom_rank.contract.errors import DatasetError
from memcom_rank.contract.manifest import Manifest, read_manifest
from memcom_rank.contract.schemas import GAMES, HISTORIES, PAIRS, TEST, VALIDATION, check_schema, file_name
from memcom_rank.data.ragged import Ragged, append


class Queries(NamedTuple):
    """What is asked of a ranker in one split.

    Attributes:
        rows: int64 [N], the evaluated users.
        histories: what the ranker may see, by position in `rows`: training games; at test also the validation games.
        targets: held-out game ids, by position in `rows`.
        grades: grades of the held-out games, by position in `rows`.
    """

    rows: Tensor
    histories: Ragged
    targets: Ragged
    grades: Ragged


class RankingDataset:
    """The tensors of one dataset folder.

    Args:
        path: folder made by `python -m data_prep build`.

    Attributes:
        manifest: what the dataset says about itself.
        histories: training game ids by user row.
        grades: grades of those games, same layout.
        pair_offsets: int64 [num_users + 1], where each user's graded pairs lie in the next three.
        preferred: int64 [num_pairs]; other: int64 [num_pairs]; weights: float32 [num_pairs].

    Raises:
        DatasetError: missing, damaged, of another version, or not as its manifest says.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest: Manifest = read_manifest(self.path)
        histories = self._read(HISTORIES, ["games", "grades"])
        self.histories = Ragged.from_arrow(histories["games"])
        self.grades = Ragged.from_arrow(histories["grades"])
        if len(self.histories.lengths) != self.manifest.num_users:
            raise DatasetError(
                f"{self.path / file_name(HISTORIES)} has {len(self.histories.lengths)} users",
                wanted=f"{self.manifest.num_users}, as its manifest says",
                fix="rebuild the dataset with: python -m data_prep build --overwrite",
            )
        pairs = self._read(PAIRS, ["row", "preferred", "other", "weight"])
        rows = _tensor(pairs["row"])
        self.pair_offsets = torch.searchsorted(rows, torch.arange(self.manifest.num_users + 1))
        self.preferred, self.other = _tensor(pairs["preferred"]), _tensor(pairs["other"])
        self.pair_weights = torch.from_numpy(pairs["weight"].to_numpy().copy())

    def queries(self, split: str) -> Queries:
        """Return the evaluated users of `split` ("validation" or "test") with their histories and held-out games."""
        rows, targets, grades = self._held_out(split)
        histories = self.histories
        if split == TEST:  # by then the validation games are known, to the ranker and to every baseline
            known_rows, known, _ = self._held_out(VALIDATION)
            histories = append(histories, known_rows, known)
        return Queries(rows, _select(histories, rows), targets, grades)

    def everything(self) -> Queries:
        """Return all users with every game known of them, held-out games too, and nothing left to find."""
        histories = self.histories
        for split in (VALIDATION, TEST):
            rows, games, _ = self._held_out(split)
            histories = append(histories, rows, games)
        rows = torch.arange(self.manifest.num_users)
        nothing = Ragged(torch.zeros(len(rows) + 1, dtype=torch.int64), torch.empty(0, dtype=torch.int64))
        return Queries(rows, histories, nothing, nothing)

    def interactions(self) -> tuple[Tensor, Tensor]:
        """Return every training (user row, game id) as two int64 [N]: what the baselines are fitted on."""
        rows = torch.repeat_interleave(torch.arange(self.manifest.num_users), self.histories.lengths)
        return rows, self.histories.values

    def user_ids(self) -> pa.Array:
        """Return the source's own user ids, by row."""
        return self._read(HISTORIES, ["user"])["user"].combine_chunks()

    def games(self) -> pa.Table:
        """Return games.parquet: id, game (the source's own id), title, popularity."""
        return self._read(GAMES, None)

    def _held_out(self, split: str) -> tuple[Tensor, Ragged, Ragged]:
        table = self._read(split, ["row", "games", "grades"])
        return _tensor(table["row"]), Ragged.from_arrow(table["games"]), Ragged.from_arrow(table["grades"])

    def _read(self, table: str, columns: list[str] | None) -> pa.Table:
        file = self.path / file_name(table)
        try:
            with pq.ParquetFile(file, memory_map=True) as parquet:
                seen = parquet.schema_arrow
                check_schema(table, seen, user_type=self.manifest.user_type, game_type=self.manifest.game_type)
                return parquet.read(columns)
        except (OSError, pa.ArrowInvalid) as error:
            raise DatasetError(
                f"{file} cannot be read: {error}",
                wanted="a whole Parquet file",
                fix="rebuild the dataset with: python -m data_prep build --overwrite",
            ) from error


def _tensor(column: pa.ChunkedArray) -> Tensor:
    return torch.from_numpy(column.to_numpy().astype("int64"))


def _select(lists: Ragged, rows: Tensor) -> Ragged:
    lengths = lists.lengths[rows]
    padded = lists.padded(rows)
    inside = torch.arange(padded.shape[1]) < lengths[:, None]
    offsets = torch.zeros(len(rows) + 1, dtype=torch.int64)
    torch.cumsum(lengths, dim=0, out=offsets[1:])
    return Ragged(offsets, padded[inside])
