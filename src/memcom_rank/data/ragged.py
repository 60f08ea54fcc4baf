"""Data room (floor 2): lists of unequal length as two flat tensors; rows of it as padded tensors."""

from typing import NamedTuple

import pyarrow as pa
import torch
from torch import Tensor

from memcom_rank.contract.schemas import PADDING_ID


class Ragged(NamedTuple):
    """N lists of integers.

    Attributes:
        offsets: int64 [N + 1]; list n is `values[offsets[n]:offsets[n + 1]]`.
        values: int64 [total].
    """

    offsets: Tensor
    values: Tensor

    @classmethod
    def from_arrow(cls, column: pa.ChunkedArray) -> "Ragged":
        """Read a list column without a Python loop over rows."""
        array = column.combine_chunks()
        offsets = torch.from_numpy(array.offsets.to_numpy().astype("int64"))
        values = torch.from_numpy(array.values.to_numpy(zero_copy_only=False).astype("int64"))
        return cls(offsets - offsets[0], values[offsets[0] : offsets[-1]])

    @property
    def lengths(self) -> Tensor:
        """int64 [N]: the length of each list. Counts all N: for a batch of rows use `offsets`."""
        return self.offsets.diff()

    def padded(self, rows_B: Tensor) -> Tensor:
        """Return the lists `rows_B` as int64 [B, L], padded at the end with id 0; L is the longest, at least 1."""
        starts_B = self.offsets[rows_B]
        return self.take(starts_B, self.offsets[rows_B + 1] - starts_B)

    def take(self, starts_B: Tensor, lengths_B: Tensor) -> Tensor:
        """Return `values[start : start + length]` for each b as int64 [B, L], padded at the end with id 0."""
        longest = max(int(lengths_B.max()), 1) if len(lengths_B) else 1
        position_L = torch.arange(longest)
        inside_BL = position_L < lengths_B[:, None]
        if not len(self.values):
            return torch.full(inside_BL.shape, PADDING_ID)
        index_BL = (starts_B[:, None] + position_L).clamp(max=len(self.values) - 1)
        return self.values[index_BL].where(inside_BL, PADDING_ID)


def select(lists: Ragged, rows: Tensor) -> Ragged:
    """Return list `rows[n]` of `lists` as list n."""
    starts = lists.offsets[rows]
    lengths = lists.offsets[rows + 1] - starts
    return Ragged(_offsets(lengths), lists.values[_positions(starts, lengths)])


def append(first: Ragged, rows: Tensor, second: Ragged) -> Ragged:
    """Return `first` with list n of `second` appended to its list `rows[n]`; `rows` are distinct."""
    extra_N = torch.zeros_like(first.lengths)
    extra_N[rows] = second.lengths
    offsets = _offsets(first.lengths + extra_N)
    values = torch.empty(int(offsets[-1]), dtype=torch.int64)
    values[_positions(offsets[:-1], first.lengths)] = first.values
    values[_positions((offsets[:-1] + first.lengths)[rows], second.lengths)] = second.values
    return Ragged(offsets, values)


def _offsets(lengths: Tensor) -> Tensor:
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


def _positions(starts: Tensor, lengths: Tensor) -> Tensor:
    """Return start, start + 1, ..., start + length - 1 of every list, one after the other."""
    before = lengths.cumsum(0) - lengths
    return torch.repeat_interleave(starts - before, lengths) + torch.arange(int(lengths.sum()))
