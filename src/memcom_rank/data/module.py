"""Data room (floor 2): the LightningDataModule, loaders for this rank over one dataset folder."""

import math
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from memcom_rank.contract.errors import ConfigError, DatasetError
from memcom_rank.contract.schemas import SPLITS, TEST, TRAIN, VALIDATION
from memcom_rank.data.batches import BatchKey, QueryBatch, QueryBatches, TrainBatch, TrainBatches
from memcom_rank.data.dataset import Queries, RankingDataset
from memcom_rank.data.labels import LabelBatch, LabelBatches
from memcom_rank.data.shards import QueryShard, TrainLoader, TrainShard

_MAX_SCORES = 2**24  # scores held at once in evaluation: 64 MB of float32, whatever the catalogue
_MOST_USERS = 1024  # of an evaluation step


class RankingData(LightningDataModule):
    """Batches of one dataset folder, made by `python -m data_prep build`: of `LabelBatch` if it is labelled.

    Args:
        path: the dataset folder. The default is a synthetic world, built on first use.
        batch_size: users per training step and process.
        num_negatives: games drawn for every step; a user's hidden games are compared with those it has not. 0 for
            classifiers, which compare with the whole catalogue, and for `in_batch` alone.
        negative_power: games are drawn in proportion to popularity**power: 0 all as likely and without repetition, 1 by
            popularity; of games drawn twice one remains.
        in_batch: whether the step's hidden games are compared with those of its other users too.
        keep_share: least and greatest share of a history that the ranker sees in a step; the rest is hidden from it.
            The least is below 1, except with labels.
        hide_latest: hide the latest games of a history, not a random part: what came before tells what came after. For
            datasets with times, where validation and test ask the same.
        max_history: most games of a user that one training step uses; of a longer history a random part.
        num_graded: graded pairs (more played against less played) per user and step; 0 for none.
        forget_share: share of history games replaced by the unknown game, which trains its vector.
        num_workers: processes that prepare batches; 0 prepares them in the training process.
        seed: order and random choices of training; the command line sets it from `seed_everything`.

    Raises:
        DatasetError: the folder is missing, damaged, of another version, or has nothing to evaluate.
        ConfigError: a number is out of range.
    """

    def __init__(
        self,
        path: str = "data/synthetic",
        *,
        batch_size: int = 1024,
        num_negatives: int = 8192,
        negative_power: float = 0.0,
        in_batch: bool = False,
        keep_share: tuple[float, float] = (0.7, 1.0),
        hide_latest: bool = False,
        max_history: int = 1024,
        num_graded: int = 0,
        forget_share: float = 0.01,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        _at_least(1, batch_size=batch_size, max_history=max_history)
        _at_least(0, num_negatives=num_negatives, num_graded=num_graded, num_workers=num_workers)
        if not 0 <= negative_power < math.inf or (negative_power and not num_negatives):
            raise ConfigError(
                f"data.negative_power is {negative_power} and data.num_negatives is {num_negatives}",
                wanted="a power of at least 0, and 0 where nothing is drawn",
                fix="try 0.75 and 1024",
            )
        if not 0 <= forget_share < 1:
            raise ConfigError(f"data.forget_share is {forget_share}", wanted="0 <= share < 1", fix="try 0.01")
        self.path, self.batch_size, self.num_workers, self.seed = Path(path), batch_size, num_workers, seed
        self.dataset = RankingDataset(path)
        self.num_ids, self.num_labels = self.dataset.manifest.num_ids, len(self.dataset.manifest.labels)
        nothing_hidden = keep_share[0] == 1 and not self.num_labels
        if not 0 <= keep_share[0] <= keep_share[1] <= 1 or nothing_hidden:
            raise ConfigError(
                f"data.keep_share is {keep_share}",
                wanted="0 <= least <= greatest <= 1, least below 1",
                fix="try [0.7, 1.0]",
            )
        if hide_latest and (not self.dataset.manifest.timed or self.num_labels):
            raise ConfigError(
                f"data.hide_latest on '{path}', a dataset " + ("of labels" if self.num_labels else "without times"),
                wanted="histories in order of time, with games to find",
                fix="use --config hide/random.yaml, or build the dataset with --timestamp COL",
            )
        self._train = TrainBatches(
            self.dataset,
            num_negatives=num_negatives,
            negative_power=negative_power,
            in_batch=in_batch,
            keep_share=keep_share,
            latest=hide_latest,
            max_history=max_history,
            num_graded=num_graded,
            forget_share=forget_share,
        )

    def setup(self, stage: str) -> None:
        """Read what a fit needs last before it trains: a table that is damaged is found at once.

        Raises:
            DatasetError: it is.
        """
        if stage == "fit" and not self.num_labels:
            self.dataset.queries(TEST)

    def train_dataloader(self) -> DataLoader[TrainBatch] | DataLoader[LabelBatch]:
        """Return this rank's training steps: users with a game to see and one to hide, in a new order every epoch.

        With labels: all training users.
        """
        if self.num_labels:
            return self._train_loader(LabelBatches(self.dataset, self._train), self.dataset.labelled(TRAIN))
        rows = (self.dataset.histories.lengths > 1).nonzero()[:, 0]
        if not len(rows):
            raise DatasetError(
                f"'{self.path}' has no user to train on",
                wanted="users with two games or more in training",
                fix="check the log",
            )
        return self._train_loader(self._train, rows)

    def val_dataloader(self) -> DataLoader[QueryBatch] | DataLoader[LabelBatch]:
        """Return this rank's share of the validation users."""
        return self.label_loader(VALIDATION) if self.num_labels else self.query_loader(self._held_out(VALIDATION))

    def test_dataloader(self) -> DataLoader[QueryBatch] | DataLoader[LabelBatch]:
        """Return this rank's share of the test users."""
        return self.label_loader(TEST) if self.num_labels else self.query_loader(self._held_out(TEST))

    def predict_dataloader(self) -> DataLoader[QueryBatch] | DataLoader[LabelBatch]:
        """Return this rank's share of all users, each with all games known of it."""
        return self.label_loader(*SPLITS) if self.num_labels else self.query_loader(self.dataset.everything())

    def label_loader(
        self, *splits: str, rank: int | None = None, world_size: int | None = None
    ) -> DataLoader[LabelBatch]:
        """Return this rank's share of the users of `splits`, or another's, with their labels and whole histories."""
        rows = torch.cat([self.dataset.labelled(split) for split in splits])
        order = rows[self.dataset.histories.lengths[rows].argsort(stable=True)]  # so that a batch holds little padding
        shard = self._query_shard(order, _MOST_USERS, rank, world_size)
        return DataLoader(LabelBatches(self.dataset), **self._options(shard))

    def query_loader(
        self, queries: Queries, *, rank: int | None = None, world_size: int | None = None
    ) -> DataLoader[QueryBatch]:
        """Return this rank's share of `queries`, or another's; batches are as large as `_MAX_SCORES` allows."""
        batches = QueryBatches(queries)
        size = min(max(_MAX_SCORES // self.num_ids, 1), _MOST_USERS)
        shard = self._query_shard(batches.order(), size, rank, world_size)
        return DataLoader(batches, **self._options(shard))

    def _train_loader(self, batches: Dataset[TrainBatch] | Dataset[LabelBatch], rows: Tensor) -> TrainLoader:
        rank, world_size = self._place()
        shard = TrainShard(rows, self.batch_size, seed=self.seed, rank=rank, world_size=world_size)
        return TrainLoader(batches, **self._options(shard))

    def _held_out(self, split: str) -> Queries:
        queries = self.dataset.queries(split)
        if not len(queries.rows):
            raise DatasetError(
                f"'{self.path}' has no user in its split {split}",
                wanted="users with held-out games",
                fix="rebuild it with another --split or a smaller --min-games",
            )
        return queries

    def _query_shard(self, order: Tensor, size: int, rank: int | None, world_size: int | None) -> QueryShard:
        own_rank, own_world_size = self._place()
        rank = own_rank if rank is None else rank
        world_size = own_world_size if world_size is None else world_size
        return QueryShard(order, size, rank=rank, world_size=world_size)

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)

    def _options(self, shard: Sampler[BatchKey]) -> dict[str, Any]:
        workers = self.num_workers
        return {
            "sampler": shard,
            "batch_size": None,
            "num_workers": workers,
            "persistent_workers": workers > 0,
            "multiprocessing_context": "forkserver" if workers else None,
            "pin_memory": torch.cuda.is_available(),
        }


def _at_least(least: int, **values: int) -> None:
    for name, value in values.items():
        if value < least:
            raise ConfigError(f"data.{name} is {value}", wanted=f"at least {least}", fix="correct it in the YAML")
