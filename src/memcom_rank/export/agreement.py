"""Export room (floor 4): how far an artifact is from its checkpoint. Takes histories -> gives differences."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from memcom_rank.contract.schemas import FIRST_GAME_ID

TOP = 10
Rank = Callable[[Tensor], tuple[Tensor, Tensor]]


class Agreement(NamedTuple):
    """Of an artifact with its checkpoint, over some users.

    Attributes:
        score: largest difference of a score.
        score_share: the largest, as a share of the spread (most less least) of the user's scores.
        overlap: mean share of the checkpoint's ten best games that are among the artifact's ten best.
        users: users that were compared.
    """

    score: float
    score_share: float
    overlap: float
    users: int


def agreement(rank: Rank, scores: Callable[[Tensor], Tensor], histories: Iterable[Tensor]) -> Agreement:
    """Compare an artifact with its checkpoint.

    Args:
        rank: the artifact: history [B, L] -> ids and scores [B, K], id 0 where no game is left.
        scores: the checkpoint: history [B, L] -> scores [B, V].
        histories: batches, int64, padded with 0.
    """
    worst, share = torch.zeros(2)  # tensors: their maximum knows NaN
    kept, users = 0.0, 0
    for history_BL in histories:
        ids_BK, found_BK = rank(history_BL)
        wanted_BV = scores(history_BL).float()
        spread_B1 = wanted_BV[:, FIRST_GAME_ID:].amax(1, keepdim=True) - wanted_BV[:, FIRST_GAME_ID:].amin(
            1, keepdim=True
        )
        real_BK = ids_BK >= FIRST_GAME_ID
        difference_BK = torch.where(real_BK, (found_BK - wanted_BV.gather(1, ids_BK)).abs(), 0.0)
        worst = torch.maximum(worst, difference_BK.max())
        share = torch.maximum(share, (difference_BK / spread_B1.clamp(min=1e-12)).max())
        left_BV = wanted_BV.scatter(1, history_BL, -torch.inf)[:, FIRST_GAME_ID:]
        top = min(TOP, ids_BK.shape[1])
        best_BT, places_BT = left_BV.topk(top)
        # what cannot be told from the last of the best counts as one of them
        equal_BT = left_BV.gather(1, (ids_BK[:, :top] - FIRST_GAME_ID).clamp(min=0)) >= best_BT[:, -1:]
        among_BT = (ids_BK[:, :top, None] == places_BT[:, None] + FIRST_GAME_ID).any(2) | equal_BT
        kept += (among_BT | ~real_BK[:, :top]).float().mean(1).sum().item()
        users += len(history_BL)
    return Agreement(worst.item(), share.item(), kept / max(users, 1), users)
