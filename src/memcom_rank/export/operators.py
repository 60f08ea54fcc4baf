"""Export room (floor 4): the two operations on packed tables, as torch operators with a plain implementation.

A traced graph names them, and the writer of each format (`onnx_operators.py`) says them in its own words.
"""

import torch
from torch import Tensor

from memcom_rank.export.packing import level_offset, unpack_rows


@torch.library.custom_op("memcom_rank::packed_rows", mutates_args=())
def packed_rows(codes_MB: Tensor, step_M: Tensor, rows: Tensor, bits: int, width: int) -> Tensor:
    """Return rows by number, of any shape: fp32, that shape + (width,).

    Args:
        codes_MB: packed rows, uint8, see `packing.py`.
        step_M: the step of each row, fp16.
        rows: row numbers, int32 or int64.
        bits: 1, 2, 3, 4 or 8 per value.
        width: values per row.
    """
    codes = unpack_rows(codes_MB[rows], bits, width)
    return (codes.float() + level_offset(bits)) * step_M[rows].float()[..., None]


@packed_rows.register_fake
def _(codes_MB: Tensor, step_M: Tensor, rows: Tensor, bits: int, width: int) -> Tensor:
    return codes_MB.new_empty((*rows.shape, width), dtype=torch.float32)


@torch.library.custom_op("memcom_rank::packed_dots", mutates_args=())
def packed_dots(codes_MB: Tensor, step_M: Tensor, queries_BW: Tensor, bits: int) -> Tensor:
    """Return the products of fp32 queries with all rows, [B, M]; arguments as for `packed_rows`."""
    codes_MW = unpack_rows(codes_MB, bits, queries_BW.shape[1])
    return queries_BW @ ((codes_MW.float() + level_offset(bits)) * step_M.float()[:, None]).T


@packed_dots.register_fake
def _(codes_MB: Tensor, step_M: Tensor, queries_BW: Tensor, bits: int) -> Tensor:
    return queries_BW.new_empty((queries_BW.shape[0], codes_MB.shape[0]))
