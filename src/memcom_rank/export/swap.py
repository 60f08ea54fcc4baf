"""Export room (floor 4): a model as an artifact holds it. Takes a trained model and bits -> gives a packed copy.

What was trained in few bits keeps its codes and steps. Of what was trained in fp32, rows get `bits` bits a value and an
fp16 step each, and numbers per id 8 bits; at 16 bits both are fp16, at 32 they stay. A matcher's few parameters stay.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.low_bit_scalars import LowBitScalars
from memcom_rank.embeddings.merging_rows import MergingRows
from memcom_rank.embeddings.prefixes import Prefixes
from memcom_rank.embeddings.quantise import best_step, quantise
from memcom_rank.embeddings.shared_table import SharedTable
from memcom_rank.embeddings.stacked_rows import StackedRows
from memcom_rank.embeddings.tables import Rows, Scalars
from memcom_rank.export.packed_map import PackedMap
from memcom_rank.export.parts import (
    DeviceLinear,
    DeviceScalars,
    DeviceTable,
    PackedRows,
    PackedScalars,
    PlainRows,
    PlainScalars,
)
from memcom_rank.export.quantiser import BLOCK, quantise_rows, quantise_scalars
from memcom_rank.models import Scorer

BITS = (32, 16, 8, 4, 2)


def packed_copy(scorer: Scorer, bits: int) -> Scorer:
    """Return a copy, in evaluation mode, whose parts are those of an artifact.

    Args:
        scorer: a trained model, on any device.
        bits: 32, 16, 8, 4 or 2 per value of what was trained in fp32.
    """
    made = copy.deepcopy(scorer).cpu().float().eval().requires_grad_(False)
    with torch.no_grad():
        _swap(made, bits)
    return made


def _swap(module: nn.Module, bits: int) -> None:
    for name, child in module.named_children():
        part = _packed(child, bits)
        if part is None:
            _swap(child, bits)
        else:
            setattr(module, name, part)


def _packed(part: nn.Module, bits: int) -> nn.Module | None:
    """Return what takes the place of a part; None for what only holds parts."""
    if isinstance(part, Prefixes | MergingRows):
        return _packed(part.settled(), bits)
    if isinstance(part, StackedRows):
        return StackedRows([cast(DeviceTable, _packed(table, bits)) for table in part.parts()])
    if isinstance(part, SharedTable):
        rows, row_of = _packed(part.rows, bits), _packed(part.row_of, bits)
        return SharedTable(cast(DeviceTable, rows), cast(IdMap, row_of))
    if isinstance(part, Rows):
        return rows_of(part.rows_MW.detach(), bits)
    if isinstance(part, LowBitRows):
        codes_MW, step_M1 = quantise(part.rows_MW.detach(), part.bits)
        return PackedRows(codes_MW, step_M1[:, 0], part.bits)
    if isinstance(part, Scalars):
        return scalars_of(part.values_N.detach(), bits)
    if isinstance(part, LowBitScalars):
        return _trained_scalars(part)
    if isinstance(part, IdMap):
        return PackedMap(part.codes, part.size)
    if isinstance(part, nn.Linear):
        return DeviceLinear(rows_of(part.weight.detach(), bits), None if part.bias is None else part.bias.detach())
    return None


def rows_of(rows_MW: Tensor, bits: int) -> DeviceTable:
    """Return fp32 rows as a table of an artifact."""
    if bits >= 16:
        return PlainRows(rows_MW.half() if bits == 16 else rows_MW)
    return PackedRows(*quantise_rows(rows_MW, bits), bits)


def scalars_of(values_N: Tensor, bits: int) -> DeviceScalars:
    """Return fp32 numbers per id as those of an artifact."""
    if bits >= 16:
        return PlainScalars(values_N.half() if bits == 16 else values_N)
    return PackedScalars(*quantise_scalars(values_N), BLOCK)


def _trained_scalars(part: LowBitScalars) -> PackedScalars:
    step_1 = best_step(part.values_N.detach(), 8)
    codes_N, _ = quantise(part.values_N.detach(), 8, step=step_1)
    least_1 = -127.5 * step_1.float()  # the lowest level; exact, as are the sums
    return PackedScalars(codes_N, least_1, step_1, len(codes_N))
