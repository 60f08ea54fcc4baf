"""Embedding room (floor 1): which shared row an id uses.

Takes ids and a number of rows -> gives rows. Integer arithmetic only: the same on every device and in exports.
"""

from torch import Tensor

from memcom_rank.contract.schemas import FIRST_GAME_ID


def modulo(ids: Tensor, num_rows: int) -> Tensor:
    """Return `(id - 2) mod num_rows`: the `num_rows` most popular games get a row each (MEmCom, arXiv 2203.10135).

    The unknown id, 1, wraps to the last row, which it shares with less popular games. The padding id, 0, gets a row
    too: callers mask it.
    """
    return (ids - FIRST_GAME_ID) % num_rows
