"""Export room (floor 4): the operations on packed tables for ExecuTorch. Takes a traced call -> gives calls it has.

Its own `embedding_4bit` wants the first code of a byte in the high bits and unsigned bytes, and its product with a
packed table, `mixed_linear`, signed bytes of one code each. As a table shall be in the file once, it is kept as signed
bytes with the highest bit flipped (`flipped`): all fields of a byte but the last are then codes as they are, and the
last one is a signed number, the code less half its range. A product with the table is made of products with whole
bytes, each field's query corrected for what the fields below add to it:

    byte = f0 + 16 f1:   q0 f0 + q1 f1 = (q1 / 16) byte + (q0 - q1 / 16) (byte & 15)

One query goes through `mixed_linear`, which makes no fp32 table; several through fp32 rows of `_TILE` rows at a time,
for `mixed_linear` reads the table again for each.
"""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear, pad

from memcom_rank.export.packing import PLANES, level_offset, plane_bytes

with warnings.catch_warnings():  # of packages, at their import, about their own insides
    warnings.simplefilter("ignore")
    import executorch.exir
    import executorch.kernels.quantized  # noqa: F401  (registers quantized_decomposed.embedding_byte and mixed_linear)

_TILE = 8192  # rows made fp32 at once
_quantized: Any = torch.ops.quantized_decomposed
_shift_right: Any = torch.ops.aten.bitwise_right_shift.Tensor_Scalar  # `>>` becomes an operation ExecuTorch has not


def _mixed_linear_shape(
    input: Tensor, weight: Tensor, scales: Tensor, zero_points: Tensor | None, dtype: Any = None
) -> Tensor:
    return input.new_empty((*input.shape[:-1], weight.shape[0]), dtype=dtype)


torch.library.register_fake("quantized_decomposed::mixed_linear", _mixed_linear_shape)


def translations() -> dict[Any, Callable[..., Tensor]]:
    """Return what `ExportedProgram.run_decompositions` takes; the tables must be `flipped`."""
    operators = torch.ops.memcom_rank
    return {
        operators.packed_rows.default: packed_rows,
        operators.packed_dots.default: packed_dots,
        torch.ops.aten.remainder.Scalar: remainder,
    }


def flipped(codes_MB: Tensor) -> Tensor:
    """Return a packed table as signed bytes, the highest bit of each flipped: int8 [M, B]."""
    return (codes_MB ^ 128).view(torch.int8)


def remainder(values: Tensor, divisor: int) -> Tensor:
    """Say `values % divisor`, whole, divisor above 0: ExecuTorch's own (1.5) has the sign of the value."""
    divisor_1 = torch.full((1,), divisor, dtype=values.dtype)
    return torch.remainder(torch.remainder(values, divisor_1) + divisor_1, divisor_1)


def packed_rows(codes_MB: Tensor, step_M: Tensor, rows: Tensor, bits: int, width: int) -> Tensor:
    """Say `operators.packed_rows`."""
    rows_N = rows.reshape(-1).long()
    step_N1 = step_M.index_select(0, rows_N).float()[:, None]
    if bits == 8:
        values_NW = _bytes(codes_MB, step_M, rows_N) + step_N1 * 0.5
        return values_NW.reshape(*rows.shape, width)
    found_NB = codes_MB.index_select(0, rows_N)
    planes, first, shift = [], 0, 0
    for plane in PLANES[bits]:
        size = plane_bytes(width, plane)
        part_NB = found_NB if len(PLANES[bits]) == 1 else found_NB[:, first : first + size]
        fields = [(part_NB if at == 0 else _shift_right(part_NB, at)) for at in range(0, 8, plane)]
        codes = [(field & (1 << plane) - 1).float() for field in fields[:-1]]
        codes.append(fields[-1].float() + float(1 << plane - 1))
        codes_NW = torch.stack(codes, dim=2).flatten(1)[:, :width]
        planes.append(codes_NW if shift == 0 else codes_NW * float(1 << shift))
        first, shift = first + size, shift + plane
    values_NW = (sum(planes[1:], start=planes[0]) + level_offset(bits)) * step_N1
    return values_NW.reshape(*rows.shape, width)


def packed_dots(codes_MB: Tensor, step_M: Tensor, queries_BW: Tensor, bits: int) -> Tensor:
    """Say `operators.packed_dots`."""
    width = queries_BW.shape[1]
    step_M32 = step_M.float()
    offset_B1 = queries_BW.sum(1, keepdim=True) * level_offset(bits)
    dots, first, shift = [], 0, 0
    for plane in PLANES[bits]:
        size, per = plane_bytes(width, plane), 8 // plane
        part_MB = codes_MB if len(PLANES[bits]) == 1 else codes_MB[:, first : first + size]
        queries = queries_BW if shift == 0 else queries_BW * float(1 << shift)
        queries = queries if size * per == width else pad(queries, (0, size * per - width))
        fields = [queries[:, at::per] * (0.5 ** (at * plane)) for at in range(per)] if per > 1 else [queries]
        for at, field_BB in enumerate(fields):
            if at == per - 1:  # whole bytes
                dots.append(_dots(field_BB, part_MB, step_M, step_M32))
            else:  # bytes cut off above this field
                cut_MB = part_MB & (1 << (at + 1) * plane) - 1
                dots.append(_dots(field_BB - fields[at + 1], cut_MB, step_M, step_M32))
        top_B1 = fields[-1].sum(1, keepdim=True) * float(128)  # the last field, without the half of its range: x 2^7
        offset_B1 = offset_B1 + top_B1
        first, shift = first + size, shift + plane
    return sum(dots[1:], start=dots[0]) + offset_B1 * step_M32


def _dots(queries_BB: Tensor, bytes_MB: Tensor, step_M: Tensor, step_M32: Tensor) -> Tensor:
    """Return the products of queries with all rows of signed bytes times their steps, [B, M]."""
    num_rows = bytes_MB.shape[0]
    if isinstance(queries_BB.shape[0], int) and queries_BB.shape[0] == 1:
        found: Tensor = _quantized.mixed_linear(queries_BB, bytes_MB, step_M32, None, torch.float32)
        return found
    tiles = []
    for first in range(0, num_rows, _TILE):
        rows_T = torch.arange(first, min(first + _TILE, num_rows), device=bytes_MB.device)
        tiles.append(linear(queries_BB, _bytes(bytes_MB, step_M, rows_T)))
    return tiles[0] if len(tiles) == 1 else torch.cat(tiles, dim=1)


def _bytes(bytes_MB: Tensor, step_M: Tensor, rows: Tensor) -> Tensor:
    if bytes_MB.shape[1] == 1:  # which embedding_byte refuses
        return bytes_MB.index_select(0, rows).float() * step_M.index_select(0, rows).float()[:, None]
    found: Tensor = _quantized.embedding_byte.dtype(bytes_MB, step_M, None, -128, 127, rows, dtype=torch.float32)
    return found
