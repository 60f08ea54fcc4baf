"""Tasks room (floor 3): RankNet (Burges et al. 2005) over a compressed embedding, as a LightningModule.

Each step hides a part of every user's games and ranks it above sampled games the user has not.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from memcom_rank.contract.errors import CheckpointError, ConfigError
from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.data import QueryBatch, TrainBatch
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.losses import ranknet_loss, top_heavy_weights
from memcom_rank.metrics import RankingMetrics, top_games
from memcom_rank.models import Ranker


class RankNet(LightningModule):
    """Pairwise ranker of games for a user's history.

    Args:
        num_ids: vocabulary of the dataset, padding and unknown included; the command line fills it in.
        embedding: technique with its knobs, called with (num_ids, dim).
        dim: embedding width D.
        match: how a history and a game are compared.
        game_bias: whether each game has a score of its own, started at its log popularity; 4 bytes a game, counted
            in the model's bytes.
        top_heavy: weigh pairs so that the top of the ranking counts most; false for RankNet's equal pairs.
        graded_weight: weight of the loss on graded pairs (more played above less played) beside the sampled pairs.
        learning_rate: of Adam.
        ks: cutoffs of the metrics; null is the full catalogue.
        top_k: games per user that `predict` returns.
    """

    def __init__(
        self,
        num_ids: int,
        embedding: Callable[[int, int], CompressedEmbedding],
        match: nn.Module,
        *,
        dim: int = 256,
        game_bias: bool = True,
        top_heavy: bool = True,
        graded_weight: float = 0.0,
        learning_rate: float = 5e-3,
        ks: Sequence[int | None] = (10, 20, None),
        top_k: int = 10,
    ) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Attribute .* is an instance of `nn.Module`")
            self.save_hyperparameters(logger=False)
        # settings where the command line made them; made in Python they are objects, which no checkpoint should hold
        self.remove_ignored_hparams([name for name in ("embedding", "match") if callable(self.hparams[name])])
        self.ranker = Ranker(embedding(num_ids, dim), match, game_bias=game_bias)
        self.top_heavy, self.graded_weight, self.learning_rate = top_heavy, graded_weight, learning_rate
        self.top_k = top_k
        self.validation_metrics = RankingMetrics(ks, num_ids)
        self.test_metrics = RankingMetrics(ks, num_ids)

    def setup(self, stage: str) -> None:
        """Start training from the games' popularity.

        Raises:
            ConfigError: graded pairs are drawn and not weighed, or the other way round.
        """
        data = getattr(self.trainer, "datamodule", None)
        if stage == "fit" and data is not None:
            if (self.graded_weight > 0) != (data.hparams.num_graded > 0):
                raise ConfigError(
                    f"model.graded_weight is {self.graded_weight} and data.num_graded is {data.hparams.num_graded}",
                    wanted="both 0, or both above 0",
                    fix="for graded pairs try 0.1 and 16",
                )
            self.ranker.start_bias(torch.from_numpy(data.dataset.games()["popularity"].to_numpy().copy()))

    def forward(self, history_BL: Tensor) -> Tensor:
        """Return scores [B, num_ids] of all games for histories of ids padded with 0."""
        scores_BV: Tensor = self.ranker(history_BL)
        return scores_BV

    def training_step(self, batch: TrainBatch, batch_index: int) -> Tensor:
        """Rank the hidden games above the negatives, and the more played games above the less played."""
        torch.manual_seed(batch.seed)  # dropout: a step taken again, after a crash say, is the same step
        wanted = [batch.held, batch.negatives, batch.preferred, batch.other]
        games_C, places = torch.unique(torch.cat([ids.flatten() for ids in wanted]), return_inverse=True)
        held_BL, negatives_K, preferred_BG, other_BG = (
            place.view_as(ids) for place, ids in zip(places.split([ids.numel() for ids in wanted]), wanted, strict=True)
        )
        scores_BC = self.ranker.score(batch.history, games_C)
        loss = self._sampled_loss(scores_BC, held_BL, negatives_K, batch)
        if self.graded_weight:
            preferred_N, other_N = scores_BC.gather(1, preferred_BG).flatten(), scores_BC.gather(1, other_BG).flatten()
            loss = loss + self.graded_weight * ranknet_loss(preferred_N, other_N[:, None], batch.weights.flatten())
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.history))
        return loss

    def _sampled_loss(self, scores_BC: Tensor, held_BL: Tensor, negatives_K: Tensor, batch: TrainBatch) -> Tensor:
        user_N, place_N = (batch.held != PADDING_ID).nonzero(as_tuple=True)
        preferred_N = scores_BC[user_N, held_BL[user_N, place_N]]
        other_NK, real_NK = scores_BC[:, negatives_K][user_N], batch.real[user_N]
        hidden_B = torch.bincount(user_N, minlength=len(scores_BC))
        weights_N = hidden_B[user_N] ** -0.5  # a user counts by the root of its hidden games, see docs/experiments.md
        if self.top_heavy:
            pair_weights_NK = top_heavy_weights(preferred_N, other_NK, real_NK)
        else:
            pair_weights_NK = real_NK / real_NK.sum(1, keepdim=True).clamp(min=1)
        return ranknet_loss(preferred_N, other_NK, weights_N, pair_weights_NK)

    def validation_step(self, batch: QueryBatch, batch_index: int) -> None:
        """Add a batch of validation users to the metrics."""
        self.validation_metrics.update(self(batch.history), batch.targets, batch.grades, batch.history)

    def on_validation_epoch_end(self) -> None:
        """Log `val/ndcg@10` and the other metrics, over all ranks."""
        self._log_metrics("val", self.validation_metrics)

    def test_step(self, batch: QueryBatch, batch_index: int) -> dict[str, Tensor]:
        """Add a batch of test users to the metrics; return their rows [B] under "row", and each metric of each [B]."""
        ranks = self.test_metrics.update(self(batch.history), batch.targets, batch.grades, batch.history)
        return {"row": batch.rows, **self.test_metrics.per_user(ranks)}

    def on_test_epoch_end(self) -> None:
        """Log `test/ndcg@10` and the other metrics, over all ranks."""
        self._log_metrics("test", self.test_metrics)

    def predict_step(self, batch: QueryBatch, batch_index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return user rows [B], the best `top_k` game ids [B, k] and their scores [B, k], seen games removed."""
        ids_Bk, scores_Bk = top_games(self(batch.history), batch.history, self.top_k)
        return batch.rows, ids_Bk, scores_Bk

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam, in its fused form where it can be: the fastest measured."""
        fused = not self.trainer.gradient_clip_val  # Lightning refuses to clip for it in mixed precision
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=fused)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write into the checkpoint which dataset its ids belong to."""
        checkpoint["dataset_digest"] = self._dataset_digest()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights whose ids belong to another dataset."""
        trained, here = checkpoint.get("dataset_digest"), self._dataset_digest()
        if here is not None and trained != here:
            raise CheckpointError(
                f"the checkpoint was trained on the dataset {trained}, and this one is {here}",
                wanted="the same dataset: game ids mean nothing on another one",
                fix="pass --data.path with the dataset it was trained on, or train anew",
            )

    def _dataset_digest(self) -> str | None:
        data = getattr(self._trainer, "datamodule", None)
        return None if data is None else str(data.dataset.manifest.digest)

    def _log_metrics(self, stage: str, metrics: RankingMetrics) -> None:
        values = metrics.compute()  # over all ranks; sync_dist averages equal values and spares a warning
        self.log_dict({f"{stage}/{key}": value for key, value in values.items()}, sync_dist=True)
        metrics.reset()
