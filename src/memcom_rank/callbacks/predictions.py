"""Callbacks room (floor 4): predict -> predictions.parquet with the source's own ids and titles."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from memcom_rank.contract.files import new_file
from memcom_rank.contract.schemas import FIRST_GAME_ID, ROW_GROUP_ROWS
from memcom_rank.data import QueryBatch, RankingDataset

PREDICTIONS_FILE = "predictions.parquet"
Predicted = tuple[Tensor, Tensor, Tensor]  # user rows [B], game ids [B, k], scores [B, k]


class PredictionWriter(Callback):
    """Writes one row per (user, rank): user, rank from 1, game, title, score; in the dataset's order of users.

    Args:
        folder: the run's folder; only rank 0's counts.

    Every process writes its users, rank 0 joins the parts. Memory holds k ids and scores per user.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._batches: list[Predicted] = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Predicted,
        batch: QueryBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep a batch's best games."""
        rows, ids, scores = outputs
        self._batches.append((rows.cpu(), ids.cpu(), scores.float().cpu()))

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write this process's part; join the parts on rank 0 once all are there."""
        target = trainer.strategy.broadcast(self._folder) / PREDICTIONS_FILE  # rank 0 knows the folder
        dataset: RankingDataset = trainer.datamodule.dataset  # type: ignore[attr-defined]
        with new_file(target.with_name(f"part-{trainer.global_rank:05d}.parquet")) as path:
            pq.write_table(self._table(dataset, int(pl_module.hparams["top_k"])), path)
        self._batches.clear()
        trainer.strategy.barrier("predictions")
        if trainer.is_global_zero:
            parts = sorted(target.parent.glob("part-*.parquet"))
            table = pa.concat_tables([pq.read_table(part) for part in parts]).sort_by("row")
            with new_file(target) as path:
                pq.write_table(table.drop_columns("row"), path, row_group_size=ROW_GROUP_ROWS)
            for part in parts:
                part.unlink()
            print(f"wrote {table.num_rows:,} rows (user, rank, game, title, score) to {target}", flush=True)

    def _table(self, dataset: RankingDataset, k: int) -> pa.Table:
        empty = (torch.empty(0, dtype=torch.int64), torch.empty(0, k, dtype=torch.int64), torch.empty(0, k))
        rows, ids, scores = (torch.cat(columns).numpy() for columns in zip(empty, *self._batches, strict=True))
        return prediction_table(dataset, rows, ids, scores)


def prediction_table(
    dataset: RankingDataset,
    rows_N: NDArray[np.int64],
    ids_Nk: NDArray[np.int64],
    scores_Nk: NDArray[np.float32],
) -> pa.Table:
    """Return the predictions with the source's own user ids, game ids and titles, and the user row.

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
            "user": dataset.user_ids().take(pa.array(row)),
            "rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(rows_N))[real],
            "game": games["game"].take(place),
            "title": games["title"].take(place),
            "score": scores_Nk.reshape(-1)[real],
        }
    )
