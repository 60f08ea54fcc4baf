"""Export room (floor 4): the parts of a technique as they lie in an artifact.

Each takes the place of a part of `embeddings` and is used in the same way, so that a technique's own formula is what is
traced. Their buffers are what the artifact holds, each once.
"""

import abc
from functools import partial
from itertools import accumulate, pairwise
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from memcom_rank.embeddings.tables import Stored, Table, Tile, pick
from memcom_rank.export.operators import packed_dots, packed_rows
from memcom_rank.export.packing import pack_rows


class DeviceTable(Table, Stored):
    """A table that is only read; a subclass implements `forward` and `dots_of`."""

    @abc.abstractmethod
    def dots_of(self, rows: slice, queries_BW: Tensor) -> Tensor:
        """Return the products of queries with rows next to one another, [B, T]."""

    def bag(self, rows_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """See the base."""
        bags_B1W: Tensor = weights_BL[:, None] @ self(rows_BL)
        return bags_B1W[:, 0]

    def tiles(self, size: int | list[int], first: int = 0) -> list[Tile]:
        """See the base."""
        if isinstance(size, int):
            size = [min(size, self.num_rows - at) for at in range(first, self.num_rows, size)]
        return [partial(self.dots_of, slice(*ends)) for ends in pairwise(accumulate(size, initial=first))]

    def _all_but_few(self, rows: slice) -> bool:
        """Whether to cut products instead of the table, of which a file or a call would have a second copy."""
        return int(rows.stop - rows.start) > self.num_rows // 2

    def at_rest(self) -> dict[str, Tensor]:
        """Return the buffers."""
        return dict(self.named_buffers())


@final
class PackedRows(DeviceTable):
    """A table of `bits` bits a value and an fp16 step per row.

    Args:
        codes_MW: uint8 codes below 2^bits; the levels are +-1/2, +-3/2, ... steps.
        step_M: steps, fp16.
        bits: 1, 2, 3, 4 or 8.
    """

    def __init__(self, codes_MW: Tensor, step_M: Tensor, bits: int) -> None:
        super().__init__(*codes_MW.shape)
        self.bits = bits
        self.codes_MB: Tensor
        self.step_M: Tensor
        self.register_buffer("codes_MB", pack_rows(codes_MW, bits))
        self.register_buffer("step_M", step_M)

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """See the base."""
        if rows is None:
            rows = torch.arange(self.num_rows, device=self.step_M.device)
        found: Tensor = packed_rows(self.codes_MB, self.step_M, rows, self.bits, self.width)
        return found

    def dots_of(self, rows: slice, queries_BW: Tensor) -> Tensor:
        """See the base."""
        if self._all_but_few(rows):
            dots_BM: Tensor = packed_dots(self.codes_MB, self.step_M, queries_BW, self.bits)
            return dots_BM[:, rows]
        dots_BT: Tensor = packed_dots(self.codes_MB[rows], self.step_M[rows], queries_BW, self.bits)
        return dots_BT


@final
class PlainRows(DeviceTable):
    """A table of fp32 or fp16 values.

    Args:
        rows_MW: the values.
    """

    def __init__(self, rows_MW: Tensor) -> None:
        super().__init__(*rows_MW.shape)
        self.rows_MW: Tensor
        self.register_buffer("rows_MW", rows_MW)

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """See the base."""
        return (self.rows_MW if rows is None else pick(self.rows_MW, rows)).float()

    def dots_of(self, rows: slice, queries_BW: Tensor) -> Tensor:
        """See the base."""
        if self._all_but_few(rows):
            return linear(queries_BW, self.rows_MW.float())[:, rows]
        return linear(queries_BW, self.rows_MW[rows].float())


class DeviceScalars(Stored):
    """A number per id; a subclass implements `all_values`."""

    @abc.abstractmethod
    def all_values(self) -> Tensor:
        """Return the numbers of all ids, fp32 [N]."""

    @abc.abstractmethod
    def some_values(self, ids: Tensor) -> Tensor:
        """Return the numbers of ids of any shape, fp32, in that shape."""

    def forward(self, ids: Tensor | None = None) -> Tensor:
        """See `embeddings.tables.Scalars`."""
        return self.all_values() if ids is None else self.some_values(ids)

    def split(self, size: int, first: int = 0) -> tuple[Tensor, ...]:
        """See `embeddings.tables.Scalars`."""
        return torch.split(self.all_values()[first:], size)

    def at_rest(self) -> dict[str, Tensor]:
        """Return the buffers."""
        return dict(self.named_buffers())


@final
class PackedScalars(DeviceScalars):
    """Numbers of 8 bits: least + code * step, of blocks of neighbours.

    Args:
        codes_N: uint8.
        least_K: the smallest value of each block, fp32.
        step_K: the step of each block, fp16.
        block: numbers of a block; the last may have fewer.
    """

    def __init__(self, codes_N: Tensor, least_K: Tensor, step_K: Tensor, block: int) -> None:
        super().__init__()
        self.block = block
        self.codes_N: Tensor
        self.least_K: Tensor
        self.step_K: Tensor
        for name, values in (("codes_N", codes_N), ("least_K", least_K), ("step_K", step_K)):
            self.register_buffer(name, values)

    def all_values(self) -> Tensor:
        """See the base."""
        num, blocks = len(self.codes_N), len(self.step_K)
        codes_KB = pad(self.codes_N.float(), (0, blocks * self.block - num)).view(blocks, self.block)
        return (self.least_K[:, None] + codes_KB * self.step_K.float()[:, None]).flatten()[:num]

    def some_values(self, ids: Tensor) -> Tensor:
        """See the base."""
        blocks = ids // self.block
        return pick(self.least_K, blocks) + pick(self.codes_N, ids).float() * pick(self.step_K, blocks).float()


@final
class PlainScalars(DeviceScalars):
    """fp32 or fp16 numbers.

    Args:
        values_N: the numbers.
    """

    def __init__(self, values_N: Tensor) -> None:
        super().__init__()
        self.values_N: Tensor
        self.register_buffer("values_N", values_N)

    def all_values(self) -> Tensor:
        """See the base."""
        return self.values_N.float()

    def some_values(self, ids: Tensor) -> Tensor:
        """See the base."""
        return pick(self.values_N, ids).float()


@final
class DeviceLinear(nn.Module):
    """A linear layer whose weights are a table: y = x W^T + b.

    Args:
        weights: a row per output.
        bias_M: fp32, or None.
    """

    def __init__(self, weights: DeviceTable, bias_M: Tensor | None) -> None:
        super().__init__()
        self.weights = weights
        self.bias_M: Tensor | None
        self.register_buffer("bias_M", bias_M)

    def forward(self, inputs_BW: Tensor) -> Tensor:
        """Return outputs [B, M]."""
        dots_BM = self.weights.dots(inputs_BW)
        return dots_BM if self.bias_M is None else dots_BM + self.bias_M
