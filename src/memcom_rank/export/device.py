"""Export room (floor 4): what a device runs. Takes histories -> gives the best games and their scores, in one call."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID, UNKNOWN_ID
from memcom_rank.export.swap import packed_copy, scalars_of
from memcom_rank.models import Ranker, Scorer
from memcom_rank.models.match import Matcher, all_games


class DeviceRanker(nn.Module):
    """Ranks the whole catalogue for histories, through the technique's structure.

    Args:
        scorer: a trained `Ranker`.
        bits: 32, 16, 8, 4 or 2 per value, see `swap.py`.
        k: games returned.

    Raises:
        ConfigError: a model of another kind.
    """

    def __init__(self, scorer: Scorer, *, bits: int, k: int) -> None:
        super().__init__()
        if not isinstance(scorer, Ranker):
            raise ConfigError(
                f"a {type(scorer).__name__} has an output layer of its own",
                wanted="a model whose games are scored by their embedding",
                fix="train with --config classifier.yaml or ranknet.yaml",
            )
        packed = packed_copy(scorer, bits)
        assert isinstance(packed, Ranker)
        self.embedding, self.match, self.k = packed.embedding, packed.match, k
        bias_V = scorer.game_bias
        self.bias = None if bias_V is None else scalars_of(bias_V.detach().cpu().float(), bits)

    def scores(self, history_BL: Tensor) -> Tensor:
        """Return scores [B, V] of every id for int64 histories padded with 0, L at least 1."""
        # the base's own call: a history is never so long here that its matcher would have to divide the users
        scores_BV = Matcher.forward(self.match, self.embedding, history_BL, all_games(self.embedding))
        return scores_BV if self.bias is None else scores_BV + self.bias()

    def forward(self, history_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return the best games that are not of the history: ids [B, k], int64, and scores [B, k], best first.

        Places beyond the games that are left have id 0 and score -inf.

        Args:
            history_BL: int64, 0 padding, 1 unknown, games from 2; ids of no game count as unknown. L may be 0.
        """
        known_BL = (history_BL >= 0) & (history_BL < self.embedding.num_ids)
        ids_BL = pad(torch.where(known_BL, history_BL, UNKNOWN_ID), (0, 1), value=PADDING_ID)
        scores_BV = self.scores(ids_BL).scatter(1, ids_BL, -torch.inf)
        best_BK, places_BK = scores_BV[:, FIRST_GAME_ID:].topk(self.k)
        return torch.where(best_BK == -torch.inf, PADDING_ID, places_BK + FIRST_GAME_ID), best_BK
