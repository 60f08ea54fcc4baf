"""Embedding room (floor 1): the parts in which techniques keep their numbers, and fp32 ones.

Takes row numbers, weights and queries -> gives rows, bags of rows and products with rows. A technique reaches what is
trained and stored through parts alone: rows through a `Table`, single numbers through `Scalars`, codes through an
`IdMap` (`id_map.py`). So its formula stays the same, whether they are trained as floats or in few bits
(`low_bit_rows.py`, `low_bit_scalars.py`), or lie packed in an artifact: another part takes the place of this one.
"""

import abc
from collections.abc import Callable
from functools import partial
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from memcom_rank.embeddings.bag import weighted_bag

Tile = Callable[[Tensor], Tensor]


class Stored(nn.Module, abc.ABC):
    """A part of a technique that says itself what must be stored of it."""

    @abc.abstractmethod
    def at_rest(self) -> dict[str, Tensor]:
        """Return all that must be stored, as it is stored, by name."""


class Table(nn.Module, abc.ABC):
    """`num_rows` rows M of `width` values W each."""

    def __init__(self, num_rows: int, width: int) -> None:
        super().__init__()
        self.num_rows = num_rows
        self.width = width

    @abc.abstractmethod
    def forward(self, rows: Tensor | None = None) -> Tensor:
        """Return rows by number, of any shape: that shape + (W,); by default all, [M, W]."""

    @abc.abstractmethod
    def bag(self, rows_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """Return sum over L of weights times rows: [B, W]; the weights are of the table's type."""

    @abc.abstractmethod
    def tiles(self, size: int | list[int], first: int = 0) -> list[Tile]:
        """Return what makes of queries [B, W] their products with rows from `first` on, [B, T], `size` rows in turn.

        Gradients of all tiles together take the time of one pass over the rows. A tile can be made again, and is the
        same again.

        Args:
            size: rows of each tile but the last, which has the rest; or the rows of each tile in turn.
            first: the first row; with a list of sizes they end with the last row.
        """

    def dots(self, queries_BW: Tensor) -> Tensor:
        """Return the products of queries with all rows, [B, M]."""
        (whole,) = self.tiles(self.num_rows)
        return whole(queries_BW)


@final
class Rows(Table):
    """A trainable fp32 table.

    Args:
        num_rows: rows M.
        width: values per row W.
        norm: what the norm of a row is at the start, about.
    """

    def __init__(self, num_rows: int, width: int, *, norm: float = 1.0) -> None:
        super().__init__(num_rows, width)
        self.rows_MW = initial_rows(num_rows, width, norm=norm)

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """See the base."""
        return self.rows_MW if rows is None else pick(self.rows_MW, rows)

    def bag(self, rows_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """See the base."""
        return weighted_bag(self.rows_MW, rows_BL, weights_BL)

    def tiles(self, size: int | list[int], first: int = 0) -> list[Tile]:
        """See the base."""
        # split once: the gradient of a slice per tile would each time be as long as the table
        return [partial(products, part_TW) for part_TW in torch.split(self.rows_MW[first:], size)]


@final
class Scalars(nn.Module):
    """`num` trainable fp32 numbers, one for each id.

    Args:
        num: ids N.
        start: what all numbers are at first.
    """

    def __init__(self, num: int, start: float = 1.0) -> None:
        super().__init__()
        self.values_N = nn.Parameter(torch.full((num,), start))

    def forward(self, ids: Tensor | None = None) -> Tensor:
        """Return the numbers of ids of any shape, in that shape; by default all, [N]."""
        return self.values_N if ids is None else pick(self.values_N, ids)

    def split(self, size: int, first: int = 0) -> tuple[Tensor, ...]:
        """Return the numbers of ids from `first` on, [T] each, `size` in turn; gradients take one pass over all."""
        return torch.split(self.values_N[first:], size)


def initial_rows(num_rows: int, dim: int, *, norm: float = 1.0) -> nn.Parameter:
    """Return a trainable [num_rows, dim] table, normal with standard deviation dim^-1/2: rows of norm about `norm`.

    Every technique starts from it, so that a comparison does not measure initial scales.
    """
    return nn.Parameter(torch.randn(num_rows, dim) * dim**-0.5 * norm)


def pick(values: Tensor, places: Tensor) -> Tensor:
    """Return values [N, ...] by place, of any shape: that shape + `values.shape[1:]`."""
    # index_select: the backward of indexing or embedding over scalars is several times slower on a CPU
    return values.index_select(0, places.reshape(-1)).view(places.shape + values.shape[1:])


def products(rows_TW: Tensor, queries_BW: Tensor) -> Tensor:
    """Return the products of queries with rows, [B, T]."""
    return queries_BW @ rows_TW.T


def widened(values: Tensor, width: int) -> Tensor:
    """Return values [..., W] with zeros up to `width`; as they are, with no operation, where they are as wide."""
    return values if values.shape[-1] == width else pad(values, (0, width - values.shape[-1]))
