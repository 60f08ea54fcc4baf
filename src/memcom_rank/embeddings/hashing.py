"""Embedding room (floor 1): which shared row an id uses.

Takes ids and a number of rows -> gives rows. Integer arithmetic only: the same on every device and in exports.
"""

import torch
from torch import Tensor

from memcom_rank.contract.schemas import FIRST_GAME_ID

PRIME = 2**31 - 1  # above every id, and small enough for products of two numbers below it in int64


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


def hashed(ids: Tensor, num_rows: int, number: int) -> Tensor:
    """Return `((a (id - 2) + b) mod p) mod num_rows`, universal hash `number` (Carter and Wegman 1979); p = 2^31 - 1.

    Padding and unknown get a row too.
    """
    a, b = hash_constants(number)
    return ((ids.long() - FIRST_GAME_ID) * a + b).remainder(PRIME).remainder(num_rows).to(ids.dtype)


def hash_constants(number: int) -> tuple[int, int]:
    """Return a and b of hash `number`, from 1 to p - 1: outputs 2 `number` and 2 `number` + 1 of SplitMix64, seed 0."""
    return _split_mix(2 * number) % (PRIME - 1) + 1, _split_mix(2 * number + 1) % (PRIME - 1) + 1


def _split_mix(number: int) -> int:
    """Return output `number` of SplitMix64 (Steele, Lea and Flood 2014)."""
    mask = 2**64 - 1
    state = (number + 1) * 0x9E3779B97F4A7C15 & mask
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
    state = (state ^ state >> 27) * 0x94D049BB133111EB & mask
    return state ^ state >> 31
