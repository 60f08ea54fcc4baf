"""Embedding room (floor 1): which shared row an id uses.

Takes ids and a number of rows -> gives rows. Integer arithmetic only: the same on every device and in exports.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import cast

import torch
from torch import Tensor

from memcom_rank.contract.schemas import FIRST_GAME_ID

PRIME = 2**31 - 1
_LIMB = 11  # bits: three hold 31, and sums of three products of them stay below 2^24

Constants = tuple[int, int, int] | tuple[Tensor, Tensor, Tensor]


def modulo(ids: Tensor, num_rows: int) -> Tensor:
    """Return `(id - 2) mod num_rows`: the `num_rows` most popular games get a row each (MEmCom, arXiv 2203.10135).

    The unknown id, 1, wraps to the last row, which it shares with less popular games. The padding id, 0, gets a row
    too: callers mask it.
    """
    return (ids - FIRST_GAME_ID) % num_rows


def hash_constants(number: int) -> tuple[int, int, int]:
    """Return the constants of hash function `number`: the same in every run, on every machine, in every export.

    The first three big-endian 4-byte words of the SHA-256 digest of "memcom-rank hash `number`", mod 2^31 - 1: as good
    as drawn at random, and nobody picked them.
    """
    digest = sha256(f"memcom-rank hash {number}".encode()).digest()
    first, second, third = (int.from_bytes(digest[at : at + 4], "big") % PRIME for at in (0, 4, 8))
    return first, second, third


def polynomial_hash(ids: Tensor, constants: Constants, size: int) -> Tensor:
    """Return ((a id + b) mod p * id + c) mod p mod size: int32, the shape of `ids`; p is 2^31 - 1.

    With random constants any three ids are independent (Wegman and Carter 1981). A straight line, (a id + b) mod p,
    would let pairs of ids of one distance collide together, and in both tables of a double hash. Nothing is negative
    (the id itself is hashed, not the game's number), so that it does not matter how a language rounds quotients, and
    nothing passes 2^63.

    Args:
        ids: integers from 0 to 2^31 - 1.
        constants: a, b, c from `hash_constants`; or tensors of such, for several functions at once.
        size: rows to choose from.
    """
    a, b, c = constants
    ids = ids.long()
    step = _narrow_step if torch.compiler.is_exporting() else _step
    return (step(step(a, ids, b), ids, c) % size).int()


def polynomial_hashes(ids: Tensor, functions: Sequence[tuple[int, int, int]], size: int) -> list[Tensor]:
    """Return `polynomial_hash` of each of several functions.

    In an exported graph one chain of operations serves all of them: its file is smaller, and sooner made.
    """
    if torch.compiler.is_exporting():
        a_K, b_K, c_K = torch.tensor(functions).unbind(1)
        return list(polynomial_hash(ids[..., None], (a_K, b_K, c_K), size).unbind(-1))
    return [polynomial_hash(ids, constants, size) for constants in functions]


def _step(factor: Tensor | int, ids: Tensor, term: Tensor | int) -> Tensor:
    return (factor * ids + term) % PRIME


def _narrow_step(factor: Tensor | int, ids: Tensor, term: Tensor | int) -> Tensor:
    """Return what `_step` does with nothing beyond 32 bits: an exported graph may run where there are no more.

    Schoolbook multiplication. As 2^31 is 1 mod p, what is worth 2^33 is worth 4, what is worth 2^44 is worth 4 times
    2^11, and a sum that is worth 2^11 or 2^22 is turned in its 31 bits.
    """
    (a, b, c), (x, y, z) = _limbs(factor), _limbs(ids)
    sums = (a * x + (b * z + c * y) * 4, a * y + b * x + c * z * 4, a * z + b * y + c * x)  # below 2^24
    total = term
    for turn, value in zip((0, _LIMB, 2 * _LIMB), sums, strict=True):
        turned = value % (1 << 31 - turn) * (1 << turn) + value // (1 << 31 - turn) if turn > 0 else value
        above = cast(Tensor, turned - (PRIME - total))
        total = above + torch.where(above < 0, PRIME, 0)
    return cast(Tensor, total)


def _limbs(values: Tensor | int) -> list[Tensor | int]:
    """Return 11, 11 and 9 bits of values below 2^31, the lowest first."""
    low, high = 1 << _LIMB, 1 << 2 * _LIMB
    return [values % low, values // low % low, values // high]
