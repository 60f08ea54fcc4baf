"""Data room (floor 2): one step's histories and labels, for classifying users."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from memcom_rank.data.batches import BatchKey, TrainBatches
from memcom_rank.data.dataset import RankingDataset


class LabelBatch(NamedTuple):
    """One step, of training or evaluation.

    Attributes:
        seed: of the random choices left to the classifier (dropout), so that any step can be taken again.
        rows: int64 [B], user rows.
        history: int64 [B, L], game ids padded with 0.
        labels: int64 [B], places in the manifest's `labels`.
    """

    seed: int
    rows: Tensor
    history: Tensor
    labels: Tensor

    @property
    def examples(self) -> Tensor:
        """How many rows of (history, label) the step has, on the batch's device."""
        return torch.tensor(len(self.labels), device=self.labels.device)


class LabelBatches(Dataset[LabelBatch]):
    """Steps of a labelled dataset; a `BatchKey` names user rows.

    Args:
        dataset: where histories and labels come from.
        train: what is done to histories in training: shortened, a part left out, games forgotten. Without it they
            are whole.
    """

    def __init__(self, dataset: RankingDataset, train: TrainBatches | None = None) -> None:
        self.dataset, self.train = dataset, train

    def __getitem__(self, key: BatchKey) -> LabelBatch:
        labels = self.dataset.labels[key.rows]
        if self.train is None:
            return LabelBatch(key.seed, key.rows, self.dataset.histories.padded(key.rows), labels)
        step = self.train[key]
        return LabelBatch(step.seed, key.rows, step.history, labels)
