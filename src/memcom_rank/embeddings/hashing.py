"""Embedding room (floor 1): which shared row an id uses.

Takes ids and a number of rows -> gives rows. Integer arithmetic only: the same on every device and in exports.
"""

from hashlib import sha256

from torch import Tensor

from memcom_rank.contract.schemas import FIRST_GAME_ID

PRIME = 2**31 - 1

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
    return (((a * ids + b) % PRIME * ids + c) % PRIME % size).int()
