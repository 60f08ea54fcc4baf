"""Baselines room (floor 2): the door to the package `implicit`, which comes with the extra `baselines`.

Its matrices are users x games without padding and unknown: column g is game id g + 2.
"""

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import FIRST_GAME_ID


@contextlib.contextmanager
def library(module: str) -> Iterator[Any]:
    """Yield `implicit.<module>`, with BLAS kept to one thread inside the block.

    More threads than one fight with the library's own, which it warns of; one also sums in one order.

    Raises:
        ConfigError: the package is not installed.
    """
    try:
        found = importlib.import_module(f"implicit.{module}")
        limits = importlib.import_module("threadpoolctl").threadpool_limits
    except ImportError as error:
        raise ConfigError(
            f"the package 'implicit' cannot be imported: {error}",
            wanted="it, for the baselines item_knn, ials and bpr",
            fix="pip install -e '.[baselines]'",
        ) from error
    with limits(1, "blas"):
        yield found


def owned_matrix(rows_N: Tensor, games_N: Tensor, num_users: int, num_ids: int) -> Any:
    """Return float32 CSR [num_users, num_ids - 2], 1 where a user has a game.

    Args:
        rows_N: int64 user row of each (user, game), each pair once.
        games_N: int64 game id of each (user, game); padding (0) and unknown (1) are left out.
        num_users: number of user rows.
        num_ids: ids of the vocabulary, padding and unknown included.
    """
    from scipy.sparse import csr_matrix  # comes with implicit

    real_N = games_N >= FIRST_GAME_ID
    rows, games = rows_N[real_N].numpy(), games_N[real_N].numpy() - FIRST_GAME_ID
    return csr_matrix((np.ones(len(rows), np.float32), (rows, games)), shape=(num_users, num_ids - FIRST_GAME_ID))


def history_matrix(history_BL: Tensor, num_ids: int) -> Any:
    """Return a batch of padded histories as `owned_matrix` would."""
    users_B1 = torch.arange(len(history_BL))[:, None]
    return owned_matrix(users_B1.expand_as(history_BL).flatten(), history_BL.flatten(), len(history_BL), num_ids)
