"""Baselines room (floor 2): iALS, matrix factorisation of owned and not owned by alternating least squares.

Takes training histories -> gives user vector x game vector. Both minimise the sum over all (user, game) of
c (p - u.v)^2 + regularization (|U|^2 + |V|^2), p = 1 and c = alpha where the user has the game, else p = 0 and c = 1
(Hu, Koren & Volinsky 2008, equation 3, with the confidences of `implicit`).

A user's vector is folded in: solved, with the game vectors fixed, from the history it is asked for. So a test user is
known by training and validation games, as everywhere; the user vectors of training are thrown away.
"""

from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from memcom_rank.baselines.implicit_library import history_matrix, library, owned_matrix
from memcom_rank.contract.schemas import FIRST_GAME_ID

ITERATIONS = 15


class Ials:
    """iALS with `ITERATIONS` alternations.

    Args:
        factors: width of the vectors.
        regularization: L2 penalty of all vectors, in units of one confidence.
        alpha: confidence of an owned game, above 1; a game not owned has 1.
        seed: of the first vectors.
    """

    def __init__(self, factors: int, regularization: float, alpha: float, *, seed: int = 0) -> None:
        self.factors, self.regularization, self.alpha, self.seed = factors, regularization, alpha, seed

    def fit(self, rows_N: Tensor, games_N: Tensor, num_users: int, num_ids: int) -> Self:
        """Fit to training histories; arguments as for `Ease.fit`.

        Raises:
            ConfigError: the package `implicit` is not installed.
        """
        self.num_ids = num_ids
        with library("cpu.als") as implicit:
            self.model = implicit.AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=ITERATIONS,
                num_threads=1,
                random_state=self.seed,
            )
            self.model.fit(owned_matrix(rows_N, games_N, num_users, num_ids), show_progress=False)
        self.model.user_factors = None
        self.vectors_GD = torch.from_numpy(self.model.item_factors)
        return self

    def score(self, history_BL: Tensor) -> Tensor:
        """Return float32 scores [B, V] of all ids; padding and unknown score 0 and add nothing."""
        with library("cpu.als"):
            users_BD = self.model.recalculate_user(np.arange(len(history_BL)), history_matrix(history_BL, self.num_ids))
        return functional.pad(torch.from_numpy(users_BD) @ self.vectors_GD.T, (FIRST_GAME_ID, 0))
