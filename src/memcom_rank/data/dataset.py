"""Data room (floor 2): a dataset folder -> tensors, checked against the contract. Read with pyarrow, memory-mapped."""

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor

from memcom_rank.contract.errors import DatasetError
from memcom_rank.contract.manifest import Manifest, read_manifest
from memcom_rank.contract.schemas import (
    FIRST_GAME_ID,
    GAMES,
    HISTORIES,
    LABELS,
    PAIRS,
    SPLITS,
    TEST,
    UNKNOWN_ID,
    VALIDATION,
    check_schema,
    file_name,
)
from memcom_rank.data.ragged import Ragged, append, select

_REBUILD = "rebuild the dataset with: python -m data_prep build --overwrite"


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
        preferred: int64 [num_pairs], the more played game of each pair.
        other: int64 [num_pairs], the less played one.
        pair_weights: float32 [num_pairs].
        labels: int64 [num_users], each user's place in the manifest's `labels`; empty where there are none. In a
            labelled dataset histories hold all games of a user, the unknown one too.

    Raises:
        DatasetError: missing, damaged, of another version, or not as its manifest says.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest: Manifest = read_manifest(self.path)
        histories = self._read(HISTORIES, ["games", "grades"])
        self.histories = self._games(HISTORIES, histories)
        self.grades = Ragged.from_arrow(histories["grades"])
        pairs = self._read(PAIRS, ["row", "preferred", "other", "weight"])
        rows = _tensor(pairs["row"])
        self._check_range(PAIRS, "row", rows, 0, self.manifest.num_users)
        self.pair_offsets = torch.searchsorted(rows, torch.arange(self.manifest.num_users + 1))
        self.preferred, self.other = _tensor(pairs["preferred"]), _tensor(pairs["other"])
        for name, ids in (("preferred", self.preferred), ("other", self.other)):
            self._check_range(PAIRS, name, ids, FIRST_GAME_ID, self.manifest.num_ids)
        self.pair_weights = torch.from_numpy(pairs["weight"].to_numpy().copy())
        self.labels, self._splits = self._labelled() if self.manifest.labels else (torch.empty(0), torch.empty(0))

    def labelled(self, split: str) -> Tensor:
        """Return int64 [N], the users of "train", "validation" or "test", of a labelled dataset."""
        return (self._splits == SPLITS.index(split)).nonzero()[:, 0]

    def queries(self, split: str) -> Queries:
        """Return the evaluated users of `split` ("validation" or "test") with their histories and held-out games."""
        rows, targets, grades = self._held_out(split)
        histories = self.histories
        if split == TEST:  # by then the validation games are known, to the ranker and to every baseline
            known_rows, known, _ = self._held_out(VALIDATION)
            histories = append(histories, known_rows, known)
        return Queries(rows, select(histories, rows), targets, grades)

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

    def popularity(self) -> Tensor:
        """Return int64 [G]: training users of each game, by id from 2."""
        return torch.from_numpy(self.games()["popularity"].to_numpy().copy())

    def games(self) -> pa.Table:
        """Return games.parquet: id, game (the source's own id), title, popularity."""
        return self._read(GAMES, None)

    def _labelled(self) -> tuple[Tensor, Tensor]:
        """Return every user's label and split, int64 [num_users] each, as places in `labels` and `SPLITS`."""
        table, found = self._read(LABELS, None), []
        rows = _tensor(table["row"])
        for name, known in (("label", self.manifest.labels), ("split", SPLITS)):
            places = pc.index_in(table[name], value_set=pa.array(known))
            if places.null_count or not torch.equal(rows, torch.arange(self.manifest.num_users)):
                odd = table.filter(pc.is_null(places))[name].unique().to_pylist() or "not one row for each user"
                raise DatasetError(
                    f"{self.path / file_name(LABELS)} does not fit its manifest: {name} {odd}",
                    wanted=f"a row for each of {self.manifest.num_users} users, {name} one of {', '.join(known)}",
                    fix=_REBUILD,
                )
            found.append(_tensor(places))
        return found[0], found[1]

    def _held_out(self, split: str) -> tuple[Tensor, Ragged, Ragged]:
        table = self._read(split, ["row", "games", "grades"])
        rows = _tensor(table["row"])
        self._check_range(split, "row", rows, 0, self.manifest.num_users)
        return rows, self._games(split, table), Ragged.from_arrow(table["grades"])

    def _games(self, name: str, table: pa.Table) -> Ragged:
        games = Ragged.from_arrow(table["games"])
        # only held-out games may be unknown in training, and games of held-out users
        least = FIRST_GAME_ID if name == HISTORIES and not self.manifest.labels else UNKNOWN_ID
        self._check_range(name, "games", games.values, least, self.manifest.num_ids)
        return games

    def _read(self, table: str, columns: list[str] | None) -> pa.Table:
        file = self.path / file_name(table)
        try:
            with pq.ParquetFile(file, memory_map=True) as parquet:
                seen = parquet.schema_arrow
                check_schema(table, seen, user_type=self.manifest.user_type, game_type=self.manifest.game_type)
                self._check_rows(table, parquet.metadata.num_rows)
                return parquet.read(columns)
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(
                f"{file} cannot be read: {error}", wanted="a whole Parquet file", fix=_REBUILD
            ) from error

    def _check_range(self, table: str, column: str, values: Tensor, least: int, end: int) -> None:
        if len(values) and not least <= int(values.min()) <= int(values.max()) < end:
            raise DatasetError(
                f"{self.path / file_name(table)} holds {column} from {int(values.min())} to {int(values.max())}",
                wanted=f"{least} to {end - 1}, as its manifest says",
                fix=_REBUILD,
            )

    def _check_rows(self, table: str, seen: int) -> None:
        wanted = {HISTORIES: self.manifest.num_users, GAMES: self.manifest.num_games}.get(table, seen)
        if seen != wanted:
            raise DatasetError(
                f"{self.path / file_name(table)} has {seen} rows",
                wanted=f"{wanted}, as its manifest says",
                fix=_REBUILD,
            )


def _tensor(column: pa.ChunkedArray) -> Tensor:
    return torch.from_numpy(column.to_numpy().astype("int64"))
