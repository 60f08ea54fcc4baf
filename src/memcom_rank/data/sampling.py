"""Data room (floor 2): random choices within the histories of a training step, vectorised.

Each takes its own torch.Generator, seeded from (seed, epoch, step, rank) by the caller, so any step can be drawn again.
"""

import torch
from torch import Generator, Tensor

from memcom_rank.contract.schemas import PADDING_ID, UNKNOWN_ID


def hide(history_BL: Tensor, keep_share: tuple[float, float], generator: Generator) -> tuple[Tensor, Tensor]:
    """Hide part of each history: what is kept is to be seen, what is held is to be ranked first.

    Every user draws its own share to keep, uniform in `keep_share`, and keeps each game with that probability.

    Args:
        history_BL: int64 game ids padded with 0.
        keep_share: least and greatest share kept.
        generator: source of randomness.

    Returns:
        kept_BL and held_BL: int64, with 0 where a game is not.
    """
    low, high = keep_share
    share_B1 = low + (high - low) * torch.rand(len(history_BL), 1, generator=generator)
    kept_BL = torch.rand(history_BL.shape, generator=generator) < share_B1
    return history_BL.where(kept_BL, PADDING_ID), history_BL.where(~kept_BL, PADDING_ID)


def hide_latest(history_BL: Tensor, keep_share: tuple[float, float], generator: Generator) -> tuple[Tensor, Tensor]:
    """Hide the end of each history, for those in order of time: what came before is to tell what came after.

    Every user draws its own share to keep, uniform in `keep_share`; kept is that share of its games from the start,
    rounded up, but never all.

    Args, Returns: as for `hide`.
    """
    low, high = keep_share
    share_B1 = low + (high - low) * torch.rand(len(history_BL), 1, generator=generator)
    length_B1 = (history_BL != PADDING_ID).sum(1, keepdim=True)
    end_B1 = (share_B1 * length_B1).ceil().minimum(length_B1 - 1)
    kept_BL = torch.arange(history_BL.shape[1]) < end_B1
    return history_BL.where(kept_BL, PADDING_ID), history_BL.where(~kept_BL, PADDING_ID)


def forget(history_BL: Tensor, share: float, generator: Generator) -> Tensor:
    """Replace a random `share` of the games by the unknown id 1, so that its vector is trained."""
    lost_BL = torch.rand(history_BL.shape, generator=generator) < share
    return history_BL.masked_fill(lost_BL & (history_BL != PADDING_ID), UNKNOWN_ID)
