"""Callbacks room (floor 4): test -> users_test.parquet, every user's metrics and slices, for paired comparisons."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from memcom_rank.callbacks.parts import write_joined
from memcom_rank.callbacks.slices import slice_columns, slice_facts
from memcom_rank.data import LabelBatch, QueryBatch, RankingDataset

USER_METRICS_FILE = "users_test.parquet"


class UserMetricsWriter(Callback):
    """Writes one row per test user: user, each metric of the task, and its slices; in the dataset's order of users.

    A metric's mean is the run's. `history_length` is how many games the model saw; `popularity` (head, middle, tail or
    unknown) is that of the held-out game, of several the middle one in order of popularity; where users have labels,
    `label` is in its place. Every process writes its users, rank 0 joins the parts.

    Args:
        folder: the run's folder; only rank 0's counts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._batches: list[dict[str, Tensor]] = []

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Mapping[str, Tensor],  # type: ignore[override]  # what our tasks' test_step returns
        batch: QueryBatch | LabelBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep a batch's user rows, metrics and slices."""
        self._batches.append(user_batch(outputs, batch))

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file."""
        dataset: RankingDataset = trainer.datamodule.dataset  # type: ignore[attr-defined]
        write_joined(trainer, self._folder, USER_METRICS_FILE, user_table(dataset, self._batches))
        self._batches.clear()


def user_batch(values: Mapping[str, Tensor], batch: QueryBatch | LabelBatch) -> dict[str, Tensor]:
    """Return, on the CPU, what is kept of a batch of test users: user rows, metrics and what its slices follow from.

    Args:
        values: "row", the user rows [B], and each metric of each user [B].
        batch: the users.
    """
    return {key: value.cpu() for key, value in {**values, **slice_facts(batch)}.items()}


def user_table(dataset: RankingDataset, batches: Sequence[Mapping[str, Tensor]]) -> pa.Table:
    """Return the file's columns and, in front, `row` to sort by, from the batches of `user_batch`."""
    found = {key: torch.cat([batch[key] for batch in batches]).numpy() for key in batches[0]}
    row = pa.array(found.pop("row"))
    slices = slice_columns(dataset, found)
    metrics = {key: values for key, values in found.items() if np.issubdtype(values.dtype, np.floating)}
    return pa.table({"row": row, "user": dataset.user_ids().take(row), **metrics, **slices})
