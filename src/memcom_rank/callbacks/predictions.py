"""Callbacks room (floor 4): predict -> predictions.parquet with the source's own ids and titles."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import BasePredictionWriter

from memcom_rank.contract.files import new_file
from memcom_rank.contract.schemas import FIRST_GAME_ID, ROW_GROUP_ROWS
from memcom_rank.data import RankingDataset

PREDICTIONS_FILE = "predictions.parquet"


class PredictionWriter(BasePredictionWriter):
    """Writes one row per (user, rank): user, rank from 1, game, title, score; sorted by user row.

    Every rank writes its users; rank 0 joins the parts. Memory holds k ids and scores per user, never a catalogue.
    """

    def __init__(self) -> None:
        super().__init__(write_interval="epoch")

    def write_on_epoch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        predictions: Sequence[Any],
        batch_indices: Sequence[Any],
    ) -> None:
        """Write this rank's part; join the parts on rank 0 once all are there."""
        target = Path(str(trainer.log_dir)) / PREDICTIONS_FILE
        part = target.with_name(f".part-{trainer.global_rank:05d}.parquet")
        rows, ids, scores = (torch.cat(column).cpu() for column in zip(*predictions, strict=True))
        dataset: RankingDataset = trainer.datamodule.dataset  # type: ignore[attr-defined]
        with new_file(part) as path:
            pq.write_table(prediction_table(dataset, rows.numpy(), ids.numpy(), scores.numpy()), path)
        trainer.strategy.barrier("predictions")
        if trainer.is_global_zero:
            parts = sorted(target.parent.glob(".part-*.parquet"))
            table = pa.concat_tables([pq.read_table(p) for p in parts]).sort_by([("row", "ascending")])
            with new_file(target) as path:
                pq.write_table(table.drop_columns("row"), path, row_group_size=ROW_GROUP_ROWS)
            for p in parts:
                p.unlink()
            print(f"wrote the {pl_module.hparams['top_k']} best games of {table.num_rows:,} rows to {target}")


def prediction_table(
    dataset: RankingDataset, rows_N: np.ndarray, ids_Nk: np.ndarray, scores_Nk: np.ndarray
) -> pa.Table:
    """Return the predictions with the source's own user ids, game ids and titles.

    Args:
        dataset: where the ids belong.
        rows_N: int64, user rows.
        ids_Nk: int64, game ids, best first; 0 where a user has fewer games left.
        scores_Nk: float32.
    """
    games = dataset.games()
    real_N = ids_Nk.reshape(-1) >= FIRST_GAME_ID
    k = ids_Nk.shape[1]
    place = pa.array(ids_Nk.reshape(-1)[real_N] - FIRST_GAME_ID)
    row = np.repeat(rows_N, k)[real_N]
    return pa.table(
        {
            "row": row,
            "user": dataset.user_ids().take(pa.array(row)),
            "rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(rows_N))[real_N],
            "game": games["game"].take(place),
            "title": games["title"].take(place),
            "score": scores_Nk.reshape(-1)[real_N].astype(np.float32),
        }
    )
