"""Tasks room (floor 3): RankNet (Burges et al. 2005) over a compressed embedding, as a LightningModule.

Each step hides a part of every user's games and ranks it above sampled games the user has not.
"""

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor, nn

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.data import RankingData, TrainBatch
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.losses import ranknet_loss, top_heavy_weights
from memcom_rank.models import Ranker
from memcom_rank.tasks.ranking import RankingTask


@final
class RankNet(RankingTask):
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
        learning_rate: of Adam's first step; it falls to 0 over the run.
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
        super().__init__(num_ids, learning_rate=learning_rate, ks=ks, top_k=top_k)
        self.ranker: Ranker = Ranker(embedding(num_ids, dim), match, game_bias=game_bias)
        self.top_heavy, self.graded_weight = top_heavy, graded_weight

    def begin(self, data: RankingData) -> None:
        """Start training from the games' popularity.

        Raises:
            ConfigError: there is nothing to compare hidden games with; graded pairs are drawn and not weighed, or the
                other way round.
        """
        negatives, graded = data.hparams["num_negatives"], data.hparams["num_graded"]
        if negatives < 1:
            raise ConfigError(f"data.num_negatives is {negatives}", wanted="at least 1 for RankNet", fix="try 1024")
        if (self.graded_weight > 0) != (graded > 0):
            raise ConfigError(
                f"model.graded_weight is {self.graded_weight} and data.num_graded is {graded}",
                wanted="both 0, or both above 0",
                fix="for graded pairs try 0.1 and 16",
            )
        self.ranker.start_bias(data.dataset.popularity())

    def loss(self, batch: TrainBatch) -> Tensor:
        """Rank the hidden games above the negatives, and the more played games above the less played."""
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
