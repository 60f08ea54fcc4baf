"""Baselines room (floor 2): EASE, the closed-form linear item-item model.

Takes training histories -> gives scores x B for a multi-hot history x, where B minimises ||X - X B||^2 + ridge ||B||^2
with a zero diagonal: P = (X'X + ridge I)^-1, B = I - P / diag(P) (Steck 2019, arXiv 1905.03375, equation 8).
"""

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID

MAX_GAMES = 20_000
RIDGES = (20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
_USERS_PER_CHUNK = 1024


class Ease:
    """EASE with one penalty for all games.

    Args:
        ridge: L2 penalty, above 0; a few hundred is usual. Larger catalogues and shorter histories want more.

    Raises:
        ConfigError: `ridge` is not above 0.
    """

    def __init__(self, ridge: float) -> None:
        if not ridge > 0:
            raise ConfigError(f"ridge {ridge}", wanted="a number above 0", fix="choose a ridge such as 200")
        self.ridge = ridge

    def fit(self, rows_N: Tensor, games_N: Tensor, num_users: int, num_ids: int) -> Self:
        """Fit to training histories.

        Args:
            rows_N: int64 user row of each (user, game), each pair once.
            games_N: int64 game id of each (user, game); padding (0) and unknown (1) do not contribute.
            num_users: number of user rows.
            num_ids: ids of the vocabulary, padding and unknown included.

        Raises:
            ConfigError: more than `MAX_GAMES` games; memory grows with their square, time with their cube.
        """
        return self.fit_gram(gram_matrix(rows_N, games_N, num_users, num_ids))

    def fit_gram(self, gram_GG: Tensor) -> Self:
        """Fit to the Gram matrix of `gram_matrix`, left unchanged; float64, G games without padding and unknown."""
        penalised_GG = gram_GG.clone()
        penalised_GG.diagonal().add_(self.ridge)
        inverse_GG = torch.cholesky_inverse(torch.linalg.cholesky(penalised_GG))
        inverse_GG /= -inverse_GG.diagonal().clone()  # column j by P_jj
        inverse_GG.fill_diagonal_(0.0)
        self.weights_VV = functional.pad(inverse_GG.float(), (FIRST_GAME_ID, 0, FIRST_GAME_ID, 0))
        return self

    def score(self, history_BL: Tensor) -> Tensor:
        """Return float32 scores [B, V] of all ids; padding and unknown score 0 and add nothing.

        Args:
            history_BL: int64 ids, each game once, padded with 0.
        """
        return functional.embedding_bag(history_BL, self.weights_VV, mode="sum", padding_idx=PADDING_ID)


def gram_matrix(rows_N: Tensor, games_N: Tensor, num_users: int, num_ids: int) -> Tensor:
    """Return X'X of the users x games matrix, float64 [G, G] over the G = num_ids - 2 real games.

    Raises:
        ConfigError: more than `MAX_GAMES` games.
    """
    num_games = num_ids - FIRST_GAME_ID
    if num_games > MAX_GAMES:
        size_gb = 3 * 8 * num_games**2 / 1e9
        raise ConfigError(
            f"EASE over {num_games:,} games needs {size_gb:.0f} GB for its games x games matrices",
            wanted=f"at most {MAX_GAMES:,} games",
            fix="compare with popularity only on this dataset",
        )
    real_N = games_N >= FIRST_GAME_ID
    rows_N, order_N = rows_N[real_N].sort()
    games_N = games_N[real_N][order_N] - FIRST_GAME_ID
    gram_GG = torch.zeros(num_games, num_games, dtype=torch.float64)
    for first in range(0, num_users, _USERS_PER_CHUNK):  # a dense chunk of users, never users x games
        start, stop = torch.searchsorted(rows_N, torch.tensor([first, first + _USERS_PER_CHUNK])).tolist()
        rows, games = rows_N[start:stop] - first, games_N[start:stop]
        dense_UG = torch.zeros(_USERS_PER_CHUNK, num_games, dtype=torch.float64)
        dense_UG[rows, games] = 1.0
        ones, places = torch.ones(len(rows), dtype=torch.float64), torch.stack([games, rows])
        sparse_GU = torch.sparse_coo_tensor(places, ones, dense_UG.T.shape, check_invariants=True)
        gram_GG.addmm_(sparse_GU, dense_UG)  # 20 times faster than dense x dense on play logs
    return gram_GG


def select_ridge(
    gram_GG: Tensor, evaluate: Callable[[Ease], float], ridges: Sequence[float] = RIDGES
) -> tuple[Ease, dict[float, float]]:
    """Fit EASE with each ridge and keep the best.

    Args:
        gram_GG: from `gram_matrix`, built once for all ridges.
        evaluate: fitted baseline -> value to maximise, such as nDCG@10 on validation (never on test).
        ridges: penalties to try.

    Returns:
        The best fitted baseline (the first of equals) and the value of every ridge.
    """
    values: dict[float, float] = {}
    best: Ease | None = None
    for ridge in ridges:
        fitted = Ease(ridge).fit_gram(gram_GG)
        values[ridge] = evaluate(fitted)
        if best is None or values[ridge] > values[best.ridge]:
            best = fitted
    if best is None:
        raise ConfigError("no ridge to try", wanted="at least one ridge", fix=f"use the default {RIDGES}")
    return best, values
