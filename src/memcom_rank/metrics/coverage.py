# ruff: noqa: N815 (fields carry shape suffixes)
"""Metrics room (floor 1): catalogue coverage, the share of games that appear in somebody's top k.

Takes the users' top games -> gives shown games / all games. 1 / catalogue size times k means that everyone is shown
the same k games.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from memcom_rank.contract.schemas import FIRST_GAME_ID


def shown_games(top_ids_BN: Tensor, num_ids: int) -> Tensor:
    """Return which ids appear at all, int64 [V] of 0 and 1.

    Args:
        top_ids_BN: int64 ids.
        num_ids: ids of the vocabulary, padding and unknown included.
    """
    shown_V = torch.zeros(num_ids, dtype=torch.int64, device=top_ids_BN.device)
    shown_V[top_ids_BN.flatten()] = 1
    return shown_V


class Coverage(Metric):
    """Share of the catalogue that appears in the top k of at least one user, over all batches and ranks.

    Args:
        k: cutoff.
        num_ids: ids of the vocabulary, padding and unknown included; these two are no part of the catalogue.
        kwargs: options of `torchmetrics.Metric`.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    shown_V: Tensor

    def __init__(self, k: int, num_ids: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k, self.num_ids = k, num_ids
        self.add_state("shown_V", torch.zeros(num_ids, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, top_ids_BN: Tensor) -> None:
        """Add a batch of users; int64 ids, best first, N >= k or all there are; padding (id 0) is ignored."""
        self.shown_V = self.shown_V | shown_games(top_ids_BN[:, : self.k], self.num_ids)

    def compute(self) -> Tensor:
        """Return the share of games shown, float64 scalar in [0, 1]."""
        return (self.shown_V[FIRST_GAME_ID:] > 0).double().mean()
