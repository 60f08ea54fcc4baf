"""Export room (floor 4): a ranker in operations that every converter knows. Takes what a device runs -> gives a trace.

For LiteRT and Core ML, which have no shifts of bytes, no unsigned ones, or neither: packed bytes are signed, the code
less 128, and are taken apart as floats, exactly. What is packed is unpacked by numbers that come from the history
(`unfolded.py`): a converter folds what it can compute, and would write tables, maps and numbers per id as fp32.
"""

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from memcom_rank.export.packed_map import PackedMap
from memcom_rank.export.packing import PLANES, level_offset, plane_bytes
from memcom_rank.export.parts import PackedRows, PackedScalars
from memcom_rank.export.unfolded import unfold


class Plain(nn.Module):
    """A ranker whose bytes are signed and whose steps are fp32, as LiteRT looks up no fp16.

    Its histories are int32 [1, `length`], padded with 0.

    Args:
        ranker: a `DeviceRanker`, or for a measurement a part of one.
    """

    def __init__(self, ranker: nn.Module) -> None:
        super().__init__()
        self.ranker = copy.deepcopy(ranker)
        for part in self.ranker.modules():
            if isinstance(part, PackedRows):
                part.codes_MB, part.step_M = _signed(part.codes_MB), part.step_M.float()
            if isinstance(part, PackedScalars):
                part.least_K = part.least_K + 128 * part.step_K.float()
                part.codes_N, part.step_K = _signed(part.codes_N), part.step_K.float()
            if isinstance(part, PackedMap):  # it takes what remains of a byte: of a signed one, that is the same
                part.packed = part.packed.view(torch.int8)

    def forward(self, history_1L: Tensor) -> Any:
        """Return what the ranker returns."""
        return self.ranker(history_1L.long())


def plain_program(ranker: nn.Module, length: int) -> torch.export.ExportedProgram:
    """Return the trace of a ranker for histories int32 [1, length]."""
    operators, aten = torch.ops.memcom_rank, torch.ops.aten
    said: dict[Any, Callable[..., Any]] = torch.export.default_decompositions()
    said = {
        **said,
        operators.packed_rows.default: packed_rows,
        operators.packed_dots.default: packed_dots,
        aten.split_with_sizes.default: split,
        aten.repeat.default: repeat,
        aten.constant_pad_nd.default: constant_pad,
        aten.clamp.default: clamp,
        aten.floor_divide.default: quotient,
        aten.__and__.Tensor: aten.logical_and.default,
        aten.bitwise_and.Tensor: aten.logical_and.default,
    }
    said = {operation: how for operation, how in said.items() if operation is not aten.linear.default}  # as `mm` it
    # has a second copy of the table, turned over
    example_1L = torch.full((1, length), 2, dtype=torch.int32)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program: torch.export.ExportedProgram = torch.export.export(Plain(ranker).eval(), (example_1L,))
        program = program.run_decompositions(said)
    for node in list(program.graph.nodes):
        named = any(user.op == "output" for user in node.users)  # by the program's signature
        if not named and (
            node.target is aten.alias.default or _is_whole(node)
        ):  # which Core ML has not, and which is folded to a copy
            node.replace_all_uses_with(node.args[0])
            program.graph.erase_node(node)
    unfold(program)
    return program


def packed_rows(codes_MB: Tensor, step_M: Tensor, rows: Tensor, bits: int, width: int) -> Tensor:
    """Say `operators.packed_rows`, of signed bytes."""
    rows_N = rows.reshape(-1)
    found_NB, step_N1 = codes_MB.index_select(0, rows_N), step_M.index_select(0, rows_N).float()[:, None]
    values, first, shift = torch.full((), level_offset(bits)), 0, 0
    for plane in PLANES[bits]:
        size, per = plane_bytes(width, plane), 8 // plane
        rest_NB = found_NB[:, first : first + size].float() + 128.0
        fields = []
        for at in reversed(range(per)):
            field_NB = torch.floor(rest_NB * 0.5 ** (at * plane)) if at else rest_NB
            rest_NB = rest_NB - field_NB * float(1 << at * plane)
            fields.append(field_NB)
        codes_NW = torch.stack(fields[::-1], dim=2).flatten(1)[:, :width] if per > 1 else fields[0]
        values = values + codes_NW * float(1 << shift)
        first, shift = first + size, shift + plane
    return (values * step_N1).reshape(*rows.shape, width)


def packed_dots(codes_MB: Tensor, step_M: Tensor, queries_BW: Tensor, bits: int) -> Tensor:
    """Say `operators.packed_dots`, of signed bytes."""
    rows_M = torch.arange(codes_MB.shape[0], dtype=torch.int32)
    return linear(queries_BW, packed_rows(codes_MB, step_M, rows_M, bits, queries_BW.shape[1]))


def split(values: Tensor, sizes: Sequence[int], dim: int = 0) -> list[Tensor]:
    """Say `split_with_sizes`, which LiteRT has not."""
    parts, first = [], 0
    for size in sizes:
        parts.append(torch.narrow(values, dim, first, size).clone())
        first += size
    return parts


def repeat(values: Tensor, counts: Sequence[int]) -> Tensor:
    """Say `repeat`, which Core ML has not for all shapes."""
    for dim, count in enumerate(counts):
        values = torch.cat([values] * count, dim) if count > 1 else values
    return values


def clamp(values: Tensor, least: float | None = None, most: float | None = None) -> Tensor:
    """Say `clamp`, which makes floats of whole numbers in Core ML."""
    if least is not None:
        values = torch.where(values < least, torch.full_like(values, least), values)
    if most is not None:
        values = torch.where(values > most, torch.full_like(values, most), values)
    return values


def quotient(values: Tensor, divisor: Tensor | int) -> Tensor:
    """Say `values // divisor`, whole, divisor above 0, below 2^22: Core ML makes floats of it, and of them no indices.

    What is divided is a multiple, so that a quotient which is off by its last bits is made whole again.
    """
    whole = torch.floor((values - values % divisor) / divisor + 0.5)
    return whole.to(values.dtype)


def constant_pad(values: Tensor, widths: Sequence[int], value: float = 0) -> Tensor:
    """Say `constant_pad_nd`, which makes floats of whole numbers in Core ML."""
    for place in range(len(widths) // 2):
        dim = values.ndim - 1 - place
        before, after = widths[2 * place], widths[2 * place + 1]
        length = values.shape[dim] + min(before, 0) + min(after, 0)
        parts = [torch.narrow(values, dim, max(-before, 0), length)]
        for width, at in ((before, 0), (after, len(parts))):
            if width > 0:
                shape = [*values.shape[:dim], width, *values.shape[dim + 1 :]]
                parts.insert(at if at == 0 else len(parts), torch.full(shape, value, dtype=values.dtype))
        values = torch.cat(parts, dim) if len(parts) > 1 else parts[0]
    return values


def _is_whole(node: torch.fx.Node) -> bool:
    """Whether a node is a slice of all there is."""
    if node.target is not torch.ops.aten.slice.Tensor:
        return False
    source: Any = node.args[0]
    return bool(source.meta["val"].shape == node.meta["val"].shape)


def _signed(codes: Tensor) -> Tensor:
    return (codes ^ 128).view(torch.int8)
