"""Baselines room (floor 2): the same games for everyone, most owned first.

Takes training histories -> gives scores of all ids: the number of training users of each game.
"""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from memcom_rank.contract.schemas import FIRST_GAME_ID


class Popularity:
    """Ranks games by their number of training users."""

    def fit(self, rows_N: Tensor, games_N: Tensor, num_users: int, num_ids: int) -> Self:
        """Count users per game.

        Args:
            rows_N: int64 user row of each (user, game), each pair once.
            games_N: int64 game id of each (user, game); padding (0) and unknown (1) are not counted.
            num_users: number of user rows (part of the baselines' common form).
            num_ids: ids of the vocabulary, padding and unknown included.
        """
        counts_V = torch.bincount(games_N, minlength=num_ids)
        counts_V[:FIRST_GAME_ID] = 0
        self.scores_V = counts_V.float()
        return self

    def score(self, history_BL: Tensor) -> Tensor:
        """Return float32 scores [B, V] of all ids, read-only (one row, seen B times); the history does not matter."""
        return self.scores_V.expand(len(history_BL), -1)


def popular_when_cold(score: Callable[[Tensor], Tensor], popularity: Popularity) -> Callable[[Tensor], Tensor]:
    """Return `score` with popularity instead for users without a real game.

    Such a user gives EASE and its like nothing to go by: they would score every game 0, a random order.
    """

    def either(history_BL: Tensor) -> Tensor:
        known_B1 = (history_BL >= FIRST_GAME_ID).any(1, keepdim=True)
        scores_BV = score(history_BL)
        return scores_BV if bool(known_B1.all()) else torch.where(known_B1, scores_BV, popularity.scores_V)

    return either
