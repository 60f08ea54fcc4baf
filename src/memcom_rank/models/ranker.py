"""Models room (floor 2): one scorer over (history, game), both sides through the same compressed table.

Tying the two sides shrinks the whole model: no output matrix is left.
"""

import torch
from torch import Tensor, nn

from memcom_rank.contract.schemas import FIRST_GAME_ID
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.models.scorer import Scorer


class Ranker(Scorer):
    """Scores games for histories: match(history, game) + bias(game).

    Args:
        embedding: the table of both sides, width D, vocabulary V.
        match: how a history and a game are compared, see `memcom_rank.models.match`.
        game_bias: whether each game has a score of its own (4 bytes a game, counted in the model's bytes).
    """

    def __init__(self, embedding: CompressedEmbedding, match: nn.Module, *, game_bias: bool) -> None:
        super().__init__(embedding)
        self.match = match
        self.game_bias = nn.Parameter(torch.zeros(embedding.num_ids)) if game_bias else None

    def forward(self, history_BL: Tensor) -> Tensor:
        """See the base; through the technique's structure: never a V x D table."""
        scores_BV: Tensor = self.match(self.embedding, history_BL, self.embedding.score)
        return scores_BV if self.game_bias is None else scores_BV + self.game_bias

    def score(self, history_BL: Tensor, games_C: Tensor) -> Tensor:
        """Return scores [B, C] of chosen games, the same for every history (training: those of the step)."""
        vectors_CD = self.embedding(games_C)
        scores_BC: Tensor = self.match(self.embedding, history_BL, lambda queries_QD: queries_QD @ vectors_CD.T)
        return scores_BC if self.game_bias is None else scores_BC + self.game_bias[games_C]

    def start_bias(self, popularity_G: Tensor) -> None:
        """Start the per-game bias at the log share of popularity.

        Only differences matter to a ranking and to most losses; one that takes a score by itself, as binary cross
        entropy does, starts near the odds of a game.

        Args:
            popularity_G: training users of each game, by id from 2.
        """
        if self.game_bias is not None:
            logs_G = popularity_G.clamp(min=1).float().log()
            with torch.no_grad():
                self.game_bias[FIRST_GAME_ID:] = logs_G.log_softmax(0)
