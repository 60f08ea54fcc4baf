"""Models room (floor 2): one scorer over (history, game), both sides through the same compressed table.

Tying the two sides shrinks the whole model: no output matrix is left.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat

import torch
from torch import Tensor, nn

from memcom_rank.contract.schemas import FIRST_GAME_ID
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.models.match import Matcher, Query, all_games
from memcom_rank.models.scorer import Scorer

_TILES = 3  # how many times a matcher's memory is divided where it does not hold the catalogue


class Ranker(Scorer):
    """Scores games for histories: match(history, game) + bias(game).

    Args:
        embedding: the table of both sides, width D, vocabulary V.
        match: how a history and a game are compared, see `memcom_rank.models.match`.
        game_bias: whether each game has a score of its own (4 bytes a game, counted in the model's bytes).
    """

    def __init__(self, embedding: CompressedEmbedding, match: Matcher, *, game_bias: bool) -> None:
        super().__init__(embedding)
        self.match = match
        self.game_bias = nn.Parameter(torch.zeros(embedding.num_ids)) if game_bias else None

    def forward(self, history_BL: Tensor) -> Tensor:
        """See the base; through the technique's structure: never a V x D table."""
        return self._with_bias(self.match(self.embedding, history_BL, all_games(self.embedding)))

    def score(self, history_BL: Tensor, games_C: Tensor) -> Tensor:
        """Return scores [B, C] of chosen games, the same for every history (training: those of the step)."""
        vectors_CD = self.embedding(games_C)

        def dots(query: Query) -> Tensor:  # of the components that it has: the rest would be products with zeros
            vectors_CW = vectors_CD[:, query.first : query.first + query.values.shape[1]]
            scores_QC: Tensor = query.values @ vectors_CW.T
            return scores_QC

        scores_BC: Tensor = self.match(self.embedding, history_BL, dots)
        return scores_BC if self.game_bias is None else scores_BC + self.game_bias[games_C]

    def tiles(self, history_BL: Tensor) -> dict[int, Callable[[], Tensor]]:
        """Return the scores of `forward` in tiles: first id of each -> what makes its scores [B, T] when called.

        From id 1 on; one tile where that fits in the memory that the matcher allows itself, otherwise smaller ones:
        what is made twice is best small. Histories are encoded and queries projected once; a tile can be made again
        and is the same.
        """
        encoded = self.match.encode(self.embedding, history_BL)
        num_games = self.embedding.num_ids - 1  # and the unknown one
        at_once = self.match.games_at_once(encoded)
        size = num_games if at_once >= num_games else max(at_once // _TILES, 1)
        projected = [self.embedding.project(query.whole(self.embedding.dim)) for query in encoded.queries]
        biases: Iterable[Tensor | None] = repeat(None)
        if self.game_bias is not None:  # split: the gradients of slices would each be as long as the catalogue
            biases = torch.split(self.game_bias[1:], size)
        return {
            1 + n * size: partial(self._tile, projected, encoded.context, tile, bias_T)
            for n, (tile, bias_T) in enumerate(zip(self.embedding.tiles(size), biases, strict=False))
        }

    def _tile(
        self,
        projected: Sequence[Tensor],
        context: Sequence[Tensor],
        tile: Callable[[Tensor], Tensor],
        bias_T: Tensor | None,
    ) -> Tensor:
        scores_BT = self.match.compare([tile(projected_QS) for projected_QS in projected], context)
        return scores_BT if bias_T is None else scores_BT + bias_T

    def _with_bias(self, scores_BV: Tensor) -> Tensor:
        return scores_BV if self.game_bias is None else scores_BV + self.game_bias

    def start_bias(self, popularity_G: Tensor) -> None:
        """Start the per-game bias at the log share of popularity.

        Only differences matter to a ranking and to most losses; one that takes a score by itself, as binary cross
        entropy does, starts near the odds of a game.

        Args:
            popularity_G: training users of each game, by id from 2.
        """
        if self.game_bias is not None and not self.game_bias.any():  # else it was trained before
            logs_G = popularity_G.clamp(min=1).float().log()
            with torch.no_grad():
                self.game_bias[FIRST_GAME_ID:] = logs_G.log_softmax(0)
