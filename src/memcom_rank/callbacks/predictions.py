"""Callbacks room (floor 4): predict -> predictions.parquet with the source's own ids and titles."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from memcom_rank.callbacks.parts import wide_text, write_joined
from memcom_rank.contract.schemas import FIRST_GAME_ID
from memcom_rank.data import LabelBatch, QueryBatch, RankingDataset

PREDICTIONS_FILE = "predictions.parquet"
Predicted = tuple[Tensor, Tensor, Tensor]  # user rows [B], game ids or labels [B, k], scores [B, k]


class PredictionWriter(Callback):
    """Writes one row per (user, rank): user, rank from 1, and game, title, score, or label, probability.

    In the dataset's order of users.

    Every process writes its users, rank 0 joins the parts. Memory holds k ids and scores per user.

    Args:
        folder: the run's folder; only rank 0's counts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._batches: list[Predicted] = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Predicted,
        batch: QueryBatch | LabelBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep a batch's best games or labels."""
        rows, ids, scores = outputs
        self._batches.append((rows.cpu(), ids.cpu(), scores.float().cpu()))

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file."""
        dataset: RankingDataset = trainer.datamodule.dataset  # type: ignore[attr-defined]
        table = self._table(dataset)
        rows = write_joined(trainer, self._folder, PREDICTIONS_FILE, table)
        self._batches.clear()
        if trainer.is_global_zero:
            where, columns = self._folder / PREDICTIONS_FILE, ", ".join(table.column_names[1:])
            print(f"wrote {rows:,} rows ({columns}) to {where}", flush=True)

    def _table(self, dataset: RankingDataset) -> pa.Table:
        rows, ids, scores = (torch.cat(columns).numpy() for columns in zip(*self._batches, strict=True))
        return (label_table if dataset.manifest.labels else prediction_table)(dataset, rows, ids, scores)


def label_table(
    dataset: RankingDataset,
    rows_N: NDArray[np.int64],
    labels_Nk: NDArray[np.int64],
    probabilities_Nk: NDArray[np.float32],
) -> pa.Table:
    """Return the predicted labels with the source's own user ids, and the user row.

    Args:
        dataset: where the labels belong.
        rows_N: user rows.
        labels_Nk: places in the manifest's `labels`, most probable first.
        probabilities_Nk: their probabilities.
    """
    k = labels_Nk.shape[1]
    row = np.repeat(rows_N, k)
    return pa.table(
        {
            "row": row,
            "user": wide_text(dataset.user_ids()).take(pa.array(row)),
            "rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(rows_N)),
            "label": pa.array(dataset.manifest.labels, pa.large_string()).take(pa.array(labels_Nk.reshape(-1))),
            "probability": probabilities_Nk.reshape(-1),
        }
    )


def prediction_table(
    dataset: RankingDataset,
    rows_N: NDArray[np.int64],
    ids_Nk: NDArray[np.int64],
    scores_Nk: NDArray[np.float32],
) -> pa.Table:
    """Return the predictions with the source's own user ids, game ids and titles, and the user row.

    Text may be more than 2 GiB in all, of which Arrow's plain strings hold no more.

    Args:
        dataset: where the ids belong.
        rows_N: user rows.
        ids_Nk: game ids, best first; 0 where a user has fewer games left.
        scores_Nk: their scores.
    """
    games, k = dataset.games(), ids_Nk.shape[1]
    real = ids_Nk.reshape(-1) >= FIRST_GAME_ID
    place = pa.array(ids_Nk.reshape(-1)[real] - FIRST_GAME_ID)
    row = np.repeat(rows_N, k)[real]
    return pa.table(
        {
            "row": row,
            "user": wide_text(dataset.user_ids()).take(pa.array(row)),
            "rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(rows_N))[real],
            "game": wide_text(games["game"]).take(place),
            "title": wide_text(games["title"]).take(place),
            "score": scores_Nk.reshape(-1)[real],
        }
    )
