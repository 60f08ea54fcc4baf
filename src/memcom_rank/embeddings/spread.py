"""Embedding room (floor 1): what is known per row, given to the ids of a tile by the modulo map of `hashing.py`.

Takes values of rows [B, M] -> gives values of ids [B, T] in blocks, without a gather: ids in turn use rows in turn.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from memcom_rank.contract.schemas import FIRST_GAME_ID


def spread_modulo(values_BM: Tensor, *, first: int, count: int) -> Tensor:
    """Give each of `count` ids, from `first` on, the value of its row: [B, M] -> [B, count].

    Equals `values_BM[:, modulo(ids, M)]`; repeating the columns copies blocks, which is 3 times faster than a gather.
    """
    num_rows = values_BM.shape[1]
    start = (first - FIRST_GAME_ID) % num_rows
    end = start + count
    if end <= num_rows:
        return values_BM[:, start:end]
    if count < num_rows:
        return torch.cat([values_BM[:, start:], values_BM[:, : end - num_rows]], dim=1)
    return values_BM.repeat(1, -(-end // num_rows))[:, start:end]


def spread_scaled(values_BM: Tensor, scale_T: Tensor, *, first: int) -> Tensor:
    """Give each id, from `first` on, the value of its row times a number of its own: [B, M] and [T] -> [B, T].

    Equals `spread_modulo(values_BM, ...) * scale_T`, forward and backward, without the copies in between.
    """
    if torch.compiler.is_exporting():  # operations that every runtime has
        return spread_modulo(values_BM, first=first, count=len(scale_T)) * scale_T
    return cast(Tensor, _SpreadScaled.apply(values_BM, scale_T, first))  # type: ignore[no-untyped-call]


class _SpreadScaled(torch.autograd.Function):
    @staticmethod
    def forward(values_BM: Tensor, scale_T: Tensor, first: int) -> Tensor:
        values_BM, scale_T = values_BM.detach(), scale_T.detach()  # an export records this as if gradients were wanted
        scores_BT = values_BM.new_empty(
            (len(values_BM), len(scale_T)), dtype=torch.promote_types(values_BM.dtype, scale_T.dtype)
        )
        for ids, rows, shape in _runs(first, len(scale_T), values_BM.shape[1]):
            scores_BRm = scores_BT[:, ids].view(len(scores_BT), *shape)
            scale_Rm = scale_T[ids].view(shape)
            if torch.compiler.is_compiling():  # which cannot write into a part of a tensor
                scores_BRm.copy_(values_BM[:, None, rows] * scale_Rm)
            else:
                torch.mul(values_BM[:, None, rows], scale_Rm, out=scores_BRm)
        return scores_BT

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        values_BM, scale_T, ctx.first = inputs
        ctx.save_for_backward(values_BM, scale_T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BT: Tensor) -> tuple[Tensor, Tensor, None]:
        values_BM, scale_T = ctx.saved_tensors
        grad_values_BM, grad_scale_T = torch.zeros_like(values_BM), torch.empty_like(scale_T)
        for ids, rows, shape in _runs(ctx.first, len(scale_T), values_BM.shape[1]):
            grad_BRm = grad_BT[:, ids].view(len(grad_BT), *shape)
            grad_values_BM[:, rows] += (grad_BRm * scale_T[ids].view(shape)).sum(1)
            grad_scale_T[ids] = (grad_BRm * values_BM[:, None, rows]).sum(0).flatten()
        return grad_values_BM, grad_scale_T, None


def _runs(first: int, count: int, num_rows: int) -> list[tuple[slice, slice, tuple[int, int]]]:
    """Divide ids into at most three runs: to the end of the rows, whole rounds of them, and the rest.

    A run is its ids, counted from `first`, its rows, and its shape: rounds x rows.
    """
    start = (first - FIRST_GAME_ID) % num_rows
    head = min(-start % num_rows, count)
    rounds = (count - head) // num_rows
    tail = head + rounds * num_rows
    runs = [
        (slice(0, head), slice(start, start + head), (1, head)),
        (slice(head, tail), slice(0, num_rows), (rounds, num_rows)),
        (slice(tail, count), slice(0, count - tail), (1, count - tail)),
    ]
    return [run for run in runs if run[0].stop > run[0].start]
