"""Baselines room (floor 2): BPR, matrix factorisation that ranks an owned game above one drawn from the log.

Takes training histories -> gives user vector x game vector + game bias, trained by SGD on the logistic loss of their
differences (Rendle, Freudenthaler, Gantner & Schmidt-Thieme 2009). `implicit` draws the other game from all rows of the
log: in proportion to popularity.

BPR has no vector for a history it was not trained on. Here it is the mean vector of the history's games, for every
user, so that test users are known by training and validation games, as everywhere, and the test by nothing else. That
is no handicap: on Steam-200k's validation users, whose history is their training history, the mean (.259) did better
than the user vectors that BPR had trained (.231); on Gowalla .035 and .034.
"""

from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from memcom_rank.baselines.implicit_library import library, owned_matrix
from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID

LEARNING_RATE = 0.05


class Bpr:
    """BPR with a game bias.

    Args:
        factors: width of the vectors.
        regularization: L2 penalty per step of SGD.
        iterations: passes over the log.
        seed: of the first vectors and of the draws.
    """

    def __init__(self, factors: int, regularization: float, iterations: int, *, seed: int = 0) -> None:
        self.factors, self.regularization, self.iterations, self.seed = factors, regularization, iterations, seed

    def fit(self, rows_N: Tensor, games_N: Tensor, num_users: int, num_ids: int) -> Self:
        """Fit to training histories; arguments as for `Ease.fit`.

        Raises:
            ConfigError: the package `implicit` is not installed.
        """
        with library("cpu.bpr") as implicit:
            model = implicit.BayesianPersonalizedRanking(
                factors=self.factors,
                learning_rate=LEARNING_RATE,
                regularization=self.regularization,
                iterations=self.iterations,
                num_threads=1,  # more would race for the vectors
                random_state=self.seed,
            )
            model.fit(owned_matrix(rows_N, games_N, num_users, num_ids), show_progress=False)
        padded_VD = functional.pad(torch.from_numpy(model.item_factors), (0, 0, FIRST_GAME_ID, 0))
        self.vectors_VD, self.bias_V = padded_VD[:, :-1].contiguous(), padded_VD[:, -1]
        return self

    def score(self, history_BL: Tensor) -> Tensor:
        """Return float32 scores [B, V] of all ids; padding and unknown score 0 and add nothing."""
        real_BL = torch.where(history_BL < FIRST_GAME_ID, PADDING_ID, history_BL)  # the mean is over real games
        users_BD = functional.embedding_bag(real_BL, self.vectors_VD, mode="mean", padding_idx=PADDING_ID)
        return users_BD @ self.vectors_VD.T + self.bias_V
