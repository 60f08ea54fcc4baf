"""Embedding room (floor 1): which shared row an id uses.

Takes ids and a number of rows -> gives rows. Integer arithmetic only: the same on every device and in exports.
"""

import torch
from torch import Tensor

from memcom_rank.contract.schemas import FIRST_GAME_ID


def modulo(ids: Tensor, num_rows: int) -> Tensor:
    """Return `(id - 2) mod num_rows`: the `num_rows` most popular games get a row each (MEmCom, arXiv 2203.10135).

    The unknown id, 1, wraps to the last row, which it shares with less popular games. The padding id, 0, gets a row
    too: callers mask it.
    """
    return (ids - FIRST_GAME_ID) % num_rows


def spread_modulo(values_BM: Tensor, *, first: int, count: int) -> Tensor:
    """Give each of `count` ids, from `first` on, the value of its row: [B, M] -> [B, count].

    Equals `values_BM[:, modulo(ids, M)]`; repeating the columns copies blocks, which is 3 times faster than a gather.
    """
    num_rows = values_BM.shape[1]
    start = (first - FIRST_GAME_ID) % num_rows
    end = start + count
    if end <= num_rows:
        return values_BM[:, start:end]
    if count < num_rows:
        return torch.cat([values_BM[:, start:], values_BM[:, : end - num_rows]], dim=1)
    return values_BM.repeat(1, -(-end // num_rows))[:, start:end]
