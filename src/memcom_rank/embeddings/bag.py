"""Embedding room (floor 1): the weighted sum of table rows per bag, with a fast backward pass.

Takes a table, row numbers and weights [B, L] -> gives [B, D] without building [B, L, D], forward or backward.

The gradient of the table is itself a bag: row m sums, over the places where it was used, weight * gradient of that
place's bag. So the places are sorted by row and summed by the same fast kernel, where torch's own backward walks the
rows one by one: a good third less time on a CPU. Bags of one take half the time of a gather. On a CPU places of weight
0 are left out first where that pays: histories of very different lengths are padding for the most part (97% in a step
on Steam).
"""

from collections.abc import Callable
from functools import reduce
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag, pad

from memcom_rank.contract.schemas import PADDING_ID

_WORTH = 0.25  # of the places, at most, are left where leaving the others out saves more than it costs


def weighted_bag(table_MD: Tensor, rows_BL: Tensor, weights_BL: Tensor) -> Tensor:
    """Return sum over L of `weights_BL * table_MD[rows_BL]`: [B, D], differentiable in table and weights.

    Args:
        table_MD: the table.
        rows_BL: int32 or int64 row numbers from 0 to M - 1; L may be 0. int32 is faster on a CPU.
        weights_BL: weights, of the table's type.
    """
    if torch.compiler.is_exporting():  # operations that every runtime has
        rows_BLD = table_MD.index_select(0, rows_BL.reshape(-1)).view(*rows_BL.shape, table_MD.shape[1])
        return (rows_BLD * weights_BL[..., None]).sum(1)
    return cast(Tensor, _WeightedBag.apply(table_MD, rows_BL, weights_BL))  # type: ignore[no-untyped-call]


def scores_of_bags(dots_BM: Tensor, rows_TL: Tensor, weights_TL: Tensor) -> Tensor:
    """Return the scores of T bags from the queries' products with the rows: [B, T], differentiable in both floats.

    They are sum over L of `weights_TL * dots_BM[:, rows_TL]`, made as bags of whole columns: on a CPU, with the loss
    over them, in half the time of 8 gathers and in less than that of 2. A single gather is faster: `scores_of_rows`.

    Args:
        dots_BM: products of queries and rows.
        rows_TL: int32 or int64 row numbers from 0 to M - 1.
        weights_TL: weights; the scores are of their type.
    """
    if torch.compiler.is_exporting():  # one after the other: never T x L x B products
        terms = zip(rows_TL.unbind(1), weights_TL.unbind(1), strict=True)
        bags = [dots_BM.T.index_select(0, rows_T) * weight_T[:, None] for rows_T, weight_T in terms]
        return reduce(torch.add, bags).T
    scores_TB = weighted_bag(dots_BM.T.to(weights_TL.dtype).contiguous(), rows_TL, weights_TL)
    return scores_TB.T.contiguous()  # what follows would be slow on columns


def scores_of_rows(dots_BM: Tensor, rows_T: Tensor) -> Tensor:
    """Return the products of queries with the rows of T games: [B, T], `dots_BM[:, rows_T]`; in fp32 under autocast.

    There products come in bf16, whose columns a CPU picks one number at a time, and the gradient of a row would be
    summed over its games in bf16.

    Args:
        dots_BM: products of queries and rows.
        rows_T: int32 or int64 row numbers from 0 to M - 1.
    """
    if torch.is_autocast_enabled(dots_BM.device.type):
        dots_BM = dots_BM.to(torch.promote_types(dots_BM.dtype, torch.float32))
    return dots_BM.index_select(1, rows_T)


def pool_made(vectors: Callable[[Tensor], Tensor], ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
    """Sum over L vectors that are made from ids [U] -> [U, D], each distinct id's once, times their weights."""
    if torch.compiler.is_exporting():  # see `distinct`
        vectors_BLD = vectors(ids_BL.reshape(-1)).view(*ids_BL.shape, -1)
        return (vectors_BLD * weights_BL[..., None]).sum(1)
    ids_U, places_BL = distinct(ids_BL)
    vectors_UD = vectors(ids_U).to(weights_BL.dtype)  # a network makes them in bf16 under autocast
    return weighted_bag(vectors_UD, places_BL, weights_BL)


def distinct(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct ids [U], and where among them each id is: int32, the shape of `ids`.

    Under autocast on a CPU padding follows, up to a sixteenth, so that U is one of few numbers: a bf16 product of a new
    shape is compiled first, which takes about as long as the product. An exported graph takes all ids as they come: how
    many are distinct would be a shape that depends on values.
    """
    if torch.compiler.is_exporting():
        return ids.reshape(-1), torch.arange(ids.numel(), dtype=torch.int32, device=ids.device).view(ids.shape)
    flat_N = ids.reshape(-1)
    real_R = flat_N.nonzero()[:, 0]  # a batch of histories is padding for the most part
    ids_U, places_R = torch.unique(flat_N[real_R], return_inverse=True)
    first = int(torch.compiler.is_compiling() or len(real_R) < len(flat_N))  # padding, if any: a graph cannot know
    places_N = torch.zeros_like(flat_N, dtype=torch.int32).index_copy_(0, real_R, places_R.int() + first)
    ids_U = pad(ids_U, (first, 0), value=PADDING_ID)
    return pad(ids_U, (0, _spare(ids_U)), value=PADDING_ID), places_N.view(ids.shape)


def _spare(ids_U: Tensor) -> int:
    """Return how many ids to add: up to a sixteenth."""
    if ids_U.device.type != "cpu" or not torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling():
        return 0
    length = len(ids_U)
    return -length % (1 << max(length.bit_length() - 5, 0))


class _WeightedBag(torch.autograd.Function):
    @staticmethod
    def forward(table_MD: Tensor, rows_BL: Tensor, weights_BL: Tensor) -> Tensor:
        rows_N, weights_N, _, starts_B = _places(rows_BL, weights_BL)
        return _bag(table_MD, rows_N, starts_B, weights_N)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BD: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        table_MD, rows_BL, weights_BL = ctx.saved_tensors
        grad_BD = grad_BD.contiguous()
        grad_table_MD = grad_weights_BL = None
        if ctx.needs_input_grad[0]:
            rows_N, weights_N, bag_N, _ = _places(rows_BL, weights_BL)
            grad_table_MD = _grad_table(grad_BD, rows_N, weights_N, bag_N, num_rows=table_MD.shape[0])
        if ctx.needs_input_grad[2]:
            grad_weights_BL = _grad_weights(grad_BD, table_MD, rows_BL)
        return grad_table_MD, None, grad_weights_BL


def _bag(table: Tensor, rows_N: Tensor, starts: Tensor, weights_N: Tensor) -> Tensor:
    if table.shape[1] == 0:  # the scores of no queries: torch's kernel fails there with several threads
        return table.new_zeros(len(starts), 0)
    return embedding_bag(rows_N, table, starts, mode="sum", per_sample_weights=weights_N)


def _places(rows_BL: Tensor, weights_BL: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return rows, weights and bags of the places that count, in order, [N] each, and where each bag starts, [B].

    Those of weight 0 add nothing. What is left depends on values: a graph cannot know it, and a GPU would have to wait.
    """
    rows_N, weights_N, bag_N = rows_BL.reshape(-1), weights_BL.reshape(-1), _bag_of(rows_BL)
    whole = rows_BL.device.type != "cpu" or torch.compiler.is_compiling()
    if whole or weights_N.count_nonzero() > weights_N.numel() * _WORTH:
        return rows_N, weights_N, bag_N, _starts(rows_BL)
    counted_N = weights_N.nonzero()[:, 0]
    bag_N = bag_N[counted_N]
    counts_B = torch.bincount(bag_N, minlength=len(rows_BL))
    starts_B = (counts_B.cumsum(0) - counts_B).to(rows_BL.dtype)
    return rows_N[counted_N], weights_N[counted_N], bag_N, starts_B


def _starts(rows_BL: Tensor) -> Tensor:
    """Return where each bag starts in the flattened `rows_BL`: [B]; unlike the 2-d form it allows L = 0."""
    num_bags, length = rows_BL.shape
    return torch.arange(num_bags, dtype=rows_BL.dtype, device=rows_BL.device) * length


def _bag_of(rows_BL: Tensor) -> Tensor:
    """Return the bag of each place of the flattened `rows_BL`: [B x L]."""
    num_bags, length = rows_BL.shape
    return torch.arange(num_bags, dtype=rows_BL.dtype, device=rows_BL.device).repeat_interleave(length)


def _grad_table(grad_BD: Tensor, rows_N: Tensor, weights_N: Tensor, bag_N: Tensor, *, num_rows: int) -> Tensor:
    places_N = rows_N.argsort(stable=True)  # stable keeps the order of summation, hence the result, reproducible
    counts_M = places_N.new_zeros(num_rows).index_add_(0, rows_N, torch.ones_like(places_N))
    starts_M = counts_M.cumsum(0) - counts_M
    return _bag(grad_BD, bag_N[places_N], starts_M.to(bag_N.dtype), weights_N[places_N])


def _grad_weights(grad_BD: Tensor, table_MD: Tensor, rows_BL: Tensor) -> Tensor:
    flat_N = torch.ops.aten._embedding_bag_per_sample_weights_backward(
        grad_BD, table_MD, rows_BL.reshape(-1), _starts(rows_BL), _bag_of(rows_BL), 0
    )
    return cast(Tensor, flat_N.view_as(rows_BL))
