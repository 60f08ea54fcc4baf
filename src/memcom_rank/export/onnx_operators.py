"""Export room (floor 4): the operations on packed tables in ONNX. Takes a traced call -> gives nodes of the graph.

Lookups gather packed rows and take their bits apart. Products run on onnxruntime's MatMulNBits of 4 bits, on CPUs the
one width that is fast without rounding the queries (8 and 2 bits expand the table to fp32 at every call), and all
others become that one, on the same bytes:

    8 bits   a byte is two codes of 4 bits, and the query of a value v becomes (v, 16 v)
    2, 1     codes of 4 bits hold two or four; each is masked out, when a session is made, into a table of 4 bits
    3        2 and 1, added

MatMulNBits subtracts a whole number from codes. What is then missing to the level of a code is the same for all values,
hence a multiple of the sum of the query times the step of the row. No fp32 table is made, here or by a session that
folds constants; a session that must not fold them is 20 times slower, as MatMulNBits is made ready for constants alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import onnx
import torch
from onnxscript import opset20, values

from memcom_rank.export.packing import PLANES, level_offset, plane_bytes

op: Any = opset20  # its types are narrower than what it takes
_ALIGNMENT = 8  # bytes: blocks of MatMulNBits hold at least 16 codes
_LARGEST_BLOCK = 256  # codes

_Parameter = onnx.defs.OpSchema.FormalParameter
_Attribute = onnx.defs.OpSchema.Attribute
_matmul_nbits = values.Op(
    values.Opset("com.microsoft", 1),
    "MatMulNBits",
    onnx.defs.OpSchema(
        "MatMulNBits",
        "com.microsoft",
        1,
        inputs=[
            _Parameter("A", "T1"),
            _Parameter("B", "T2"),
            _Parameter("scales", "T1"),
            _Parameter("zero_points", "T2"),
        ],
        outputs=[_Parameter("Y", "T1")],
        type_constraints=[("T1", ["tensor(float)"], ""), ("T2", ["tensor(uint8)"], "")],
        attributes=[_Attribute(name, onnx.defs.OpSchema.AttrType.INT, "") for name in ("K", "N", "bits", "block_size")],
    ),
)


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return what `torch.onnx.export` takes as its custom translation table."""
    operators = torch.ops.memcom_rank
    return {
        operators.packed_rows.default: packed_rows,
        operators.packed_dots.default: packed_dots,
        torch.ops.aten.floor_divide.default: floor_divide,
    }


def floor_divide(dividend: Any, divisor: Any) -> Any:
    """Write `dividend // divisor` of whole numbers from 0 on, as all are that an artifact divides: 1 node, not 9."""
    return op.Div(dividend, op.CastLike(_ints(divisor), dividend) if isinstance(divisor, int) else divisor)


def packed_rows(codes_MB: Any, step_M: Any, rows: Any, bits: int, width: int) -> Any:
    """Write `operators.packed_rows`."""
    rank = len(rows.shape)
    found, level, first, shift = op.Gather(codes_MB, rows, axis=0), None, 0, 0
    for plane in PLANES[bits]:
        size = plane_bytes(width, plane)
        part = found if len(PLANES[bits]) == 1 else _slice(found, first, first + size, axis=rank)
        if plane < 8:
            part = op.Unsqueeze(part, _ints(rank + 1))
            part = op.BitwiseAnd(
                op.BitShift(part, _bytes(*range(0, 8, plane)), direction="RIGHT"), _bytes(2**plane - 1)
            )
            part = op.Reshape(part, _ints(*[0] * rank, size * 8 // plane))
            if size * 8 // plane > width:
                part = _slice(part, 0, width, axis=rank)
        part = op.Cast(part, to=onnx.TensorProto.FLOAT)
        part = part if shift == 0 else op.Mul(part, op.Constant(value_float=float(1 << shift)))
        level = part if level is None else op.Add(level, part)
        first, shift = first + size, shift + plane
    level = op.Add(level, op.Constant(value_float=level_offset(bits)))
    step = op.Cast(op.Gather(step_M, rows, axis=0), to=onnx.TensorProto.FLOAT)
    return op.Mul(level, op.Unsqueeze(step, _ints(rank)))


def packed_dots(codes_MB: Any, step_M: Any, queries_BW: Any, bits: int) -> Any:
    """Write `operators.packed_dots`."""
    num_rows, width = int(codes_MB.shape[0]), int(queries_BW.shape[1])
    step = op.Cast(step_M, to=onnx.TensorProto.FLOAT)
    dots, offset, first, shift = None, level_offset(bits), 0, 0
    for plane in PLANES[bits]:
        size = plane_bytes(width, plane)
        padded = -(-size // _ALIGNMENT) * _ALIGNMENT
        codes = codes_MB if len(PLANES[bits]) == 1 else _slice(codes_MB, first, first + size, axis=1)
        codes = codes if padded == size else op.Pad(codes, _ints(0, 0, 0, padded - size), _bytes(0, scalar=True))
        per = max(8 // plane, 1)
        queries = queries_BW
        if padded * per > width:
            queries = op.Pad(queries, _ints(0, 0, 0, padded * per - width))
        if shift:
            queries = op.Mul(queries, op.Constant(value_float=float(1 << shift)))
        if plane == 8:
            pair = op.Unsqueeze(queries, _ints(2))
            queries = op.Concat(pair, op.Mul(pair, op.Constant(value_float=16.0)), axis=2)
        elif plane < 4:  # codes of 4 bits that hold one value each
            masks = per // 2
            low = op.BitShift(
                op.Unsqueeze(codes, _ints(1)), _bytes(*range(0, 4, plane), column=True), direction="RIGHT"
            )
            codes = op.BitwiseAnd(low, _bytes((2**plane - 1) * 17))
            queries = op.Reshape(queries, _ints(-1, padded, 2, masks))
            queries = op.Transpose(queries, perm=[0, 3, 1, 2])
        zero = 1 << min(plane, 4) - 1
        nibbles = 2 * padded * max(4 // plane, 1)
        block = math.gcd(nibbles, _LARGEST_BLOCK)
        blocks = nibbles // block
        dot = _matmul_nbits(
            op.Reshape(queries, _ints(-1, nibbles)),
            op.Reshape(codes, _ints(num_rows, blocks, block // 2)),
            op.Expand(op.Unsqueeze(step, _ints(1)), _ints(num_rows, blocks)),
            op.Expand(_bytes(zero * 17, scalar=True), _ints(num_rows, -(-blocks // 2))),
            K=nibbles,
            N=num_rows,
            bits=4,
            block_size=block,
        )
        offset += zero * (17 if plane == 8 else 1) * (1 << shift)
        dots = dot if dots is None else op.Add(dots, dot)
        first, shift = first + size, shift + plane
    sums = op.ReduceSum(queries_BW, _ints(1), keepdims=1)
    return op.Gemm(sums, op.Unsqueeze(step, _ints(0)), dots, alpha=offset)


def _ints(*numbers: int) -> Any:
    return op.Constant(value_ints=list(numbers))


def _bytes(*numbers: int, scalar: bool = False, column: bool = False) -> Any:
    dims = [] if scalar else [len(numbers), 1] if column else [len(numbers)]
    return op.Constant(value=onnx.helper.make_tensor("", onnx.TensorProto.UINT8, dims, list(numbers)))


def _slice(tensor: Any, first: int, end: int, *, axis: int) -> Any:
    return op.Slice(tensor, _ints(first), _ints(end), _ints(axis))
