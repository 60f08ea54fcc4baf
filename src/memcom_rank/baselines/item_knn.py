"""Baselines room (floor 2): item-kNN, a game is as good as it is similar to the games of the history.

Takes training histories -> gives the sum, over the history, of similarities to each game. A game lends its similarity
to its `neighbours` most similar games alone (Deshpande & Karypis 2004). Similarities are those of `implicit`: games are
vectors of users, weighted by one of

- `cosine`: all users alike;
- `tfidf`: users with few games count more; cosine of that;
- `bm25`: as tfidf, with popular games damped (K1 1.2, B .75); a plain product, not a cosine.
"""

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from memcom_rank.baselines.implicit_library import history_matrix, library, owned_matrix
from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import FIRST_GAME_ID

WEIGHTINGS = ("cosine", "tfidf", "bm25")
_K1, _B = 1.2, 0.75


class ItemKnn:
    """Item-kNN over all training users.

    Args:
        weighting: one of `WEIGHTINGS`.
        neighbours: similar games kept for each game, itself not counted.

    Raises:
        ConfigError: no such weighting, or no neighbour.
    """

    def __init__(self, weighting: str, neighbours: int) -> None:
        if weighting not in WEIGHTINGS or neighbours < 1:
            raise ConfigError(
                f"item-kNN with weighting '{weighting}' and {neighbours} neighbours",
                wanted=f"one of {', '.join(WEIGHTINGS)}, and 1 neighbour or more",
                fix="try tfidf with 100 neighbours",
            )
        self.weighting, self.neighbours = weighting, neighbours

    def fit(self, rows_N: Tensor, games_N: Tensor, num_users: int, num_ids: int) -> Self:
        """Fit to training histories; arguments as for `Ease.fit`.

        Raises:
            ConfigError: the package `implicit` is not installed.
        """
        self.num_ids = num_ids
        with library("nearest_neighbours") as implicit:
            weighted_UG = self._weighted(implicit, owned_matrix(rows_N, games_N, num_users, num_ids))
            # a game is its own nearest neighbour, which ranks nothing: games of the history are no candidates
            model = implicit.ItemItemRecommender(K=self.neighbours + 1, num_threads=1)
            model.fit(weighted_UG, show_progress=False)
        self.similarity_GG = model.similarity.astype(np.float32)
        return self

    def _weighted(self, implicit: Any, owned_UG: Any) -> Any:
        owned_GU = owned_UG.T
        if self.weighting == "bm25":
            weighted_GU = implicit.bm25_weight(owned_GU, _K1, _B)
        elif self.weighting == "tfidf":
            weighted_GU = implicit.normalize(implicit.tfidf_weight(owned_GU))
        else:
            weighted_GU = implicit.normalize(owned_GU)
        return weighted_GU.T.tocsr()

    def score(self, history_BL: Tensor) -> Tensor:
        """Return float32 scores [B, V] of all ids; padding and unknown score 0 and add nothing."""
        scores_BG = (history_matrix(history_BL, self.num_ids) @ self.similarity_GG).toarray()
        return functional.pad(torch.from_numpy(scores_BG), (FIRST_GAME_ID, 0))
