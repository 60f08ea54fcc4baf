"""Tasks room (floor 3): RankNet (Burges et al. 2005) over a compressed embedding, as a LightningModule.

Each step hides a part of every user's games and ranks it above sampled games the user has not, under any loss of
`memcom_rank.losses` that compares with sampled games.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.data import RankingData, TrainBatch
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.losses import bpr_loss, ranknet_loss
from memcom_rank.models import Matcher, Ranker
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
        loss: of the hidden games against the sampled ones, by import path; see `memcom_rank.losses`.
        hardest: compare the hidden games of a user with as many of the sampled games that it has not, those of highest
            score; null for all.
        graded_weight: weight of the loss on graded pairs (more played above less played) beside the sampled pairs.
        learning_rate: of Adam's first step; it falls to 0 over the run.
        ks: cutoffs of the metrics; null is the full catalogue.
        top_k: games per user that `predict` returns.
    """

    def __init__(
        self,
        num_ids: int,
        embedding: Callable[[int, int], CompressedEmbedding],
        match: Matcher,
        *,
        dim: int = 256,
        game_bias: bool = True,
        loss: Callable[..., Tensor] = ranknet_loss,
        hardest: int | None = None,
        graded_weight: float = 0.0,
        learning_rate: float = 5e-3,
        ks: Sequence[int | None] = (10, 20, None),
        top_k: int = 10,
    ) -> None:
        super().__init__(num_ids, learning_rate=learning_rate, ks=ks, top_k=top_k)
        self.ranker: Ranker = Ranker(embedding(num_ids, dim), match, game_bias=game_bias)
        _check(loss, hardest)
        self.sampled_loss, self.hardest, self.graded_weight = loss, hardest, graded_weight

    def begin(self, data: RankingData) -> None:
        """Start training from the games' popularity.

        Raises:
            ConfigError: there is nothing to compare hidden games with; graded pairs are drawn and not weighed, or the
                other way round.
        """
        negatives, in_batch, graded = (data.hparams[name] for name in ("num_negatives", "in_batch", "num_graded"))
        users = data.batch_size
        if negatives < 1 and not (in_batch and users > 1):
            raise ConfigError(
                f"data.num_negatives is {negatives}, data.in_batch is {in_batch} and data.batch_size is {users}",
                wanted="sampled games, or those of other users of the step, to compare hidden games with",
                fix="try --data.num_negatives 1024",
            )
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
            real_N1, log_q_N1 = torch.ones_like(other_N[:, None], dtype=torch.bool), torch.zeros_like(other_N[:, None])
            row_N, weights_N = torch.arange(len(other_N), device=other_N.device), batch.weights.flatten()
            graded = bpr_loss(preferred_N, row_N, other_N[:, None], real_N1, log_q_N1, weights_N)
            loss = loss + self.graded_weight * self.over_processes(graded, weights_N.sum())
        return loss

    def _sampled_loss(self, scores_BC: Tensor, held_BL: Tensor, negatives_K: Tensor, batch: TrainBatch) -> Tensor:
        user_N, place_N = (batch.held != PADDING_ID).nonzero(as_tuple=True)
        preferred_N = scores_BC[user_N, held_BL[user_N, place_N]]
        hidden_B = torch.bincount(user_N, minlength=len(scores_BC))
        weights_N = hidden_B[user_N] ** -0.5  # a user counts by the root of its hidden games, see docs/experiments.md
        other_BK, real_BK, log_q_BK = scores_BC.index_select(1, negatives_K), batch.real, batch.log_q
        if self.hardest is not None:
            top_Bk = _top(other_BK.detach(), real_BK, self.hardest)
            other_BK, real_BK, log_q_BK = other_BK.gather(1, top_Bk), real_BK.gather(1, top_Bk), log_q_BK[top_Bk]
        mean = self.sampled_loss(preferred_N, user_N, other_BK, real_BK, log_q_BK, weights_N)
        return self.over_processes(mean, weights_N.sum())


def _top(scores_BK: Tensor, real_BK: Tensor, count: int) -> Tensor:
    """Return the places [B, k] of the `count` highest scores that are real, and of others only where these run out."""
    return scores_BK.masked_fill(~real_BK, -torch.inf).topk(min(count, scores_BK.shape[1])).indices


def _check(loss: Callable[..., Tensor], hardest: int | None) -> None:
    try:
        inspect.signature(loss).bind(*("preferred_N", "user_N", "other_BK", "real_BK", "log_q_BK", "weights_N"))
    except TypeError as error:
        raise ConfigError(
            f"model.loss '{getattr(loss, '__name__', loss)}': {error}",
            wanted="a function of (preferred_N, user_N, other_BK, real_BK, log_q_BK, weights_N)",
            fix="try memcom_rank.losses.ranknet_loss",
        ) from error
    if hardest is not None and hardest < 1:
        raise ConfigError(f"model.hardest is {hardest}", wanted="at least 1, or null for all", fix="try 64")
