"""Models room (floor 2): the best games of histories. Takes a trained scorer -> gives what finds its best games.

Where a score is a product of a query and a game's vector, plus the game's bias, an index over the technique's structure
finds them; other scorers score all games.
"""

from collections.abc import Callable

from torch import Tensor

from memcom_rank.embeddings.block_top_k import top_k_index
from memcom_rank.metrics import top_games
from memcom_rank.models.match import PoolMatch
from memcom_rank.models.ranker import Ranker
from memcom_rank.models.scorer import Scorer

Finder = Callable[[Tensor, int], tuple[Tensor, Tensor]]


def finder(scorer: Scorer) -> Finder:
    """Return what takes histories [B, L], int64 padded with 0, and k -> gives best games: ids and scores [B, k].

    As `memcom_rank.metrics.top_games` of the scorer's scores, seen games removed. It knows the scorer as it is now:
    after more training, make another.

    Args:
        scorer: the trained scorer, in evaluation mode.
    """
    if isinstance(scorer, Ranker) and isinstance(scorer.match, PoolMatch):
        embedding, match = scorer.embedding, scorer.match
        index = top_k_index(embedding, scorer.game_bias)
        return lambda history_BL, k: index(match.query(embedding, history_BL), history_BL, k)
    return lambda history_BL, k: top_games(scorer(history_BL), history_BL, k)
