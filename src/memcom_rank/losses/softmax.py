"""Losses room (floor 1): cross entropy of hidden games over the whole catalogue.

Takes scores of all ids, at once or in tiles -> gives the weighted mean of -log softmax(s_hidden), each hidden game
against all games that the user has not: the multinomial likelihood of Liang et al. 2018 ("Variational Autoencoders for
Collaborative Filtering", equation 2), with the user's other games left out of the sum, as they are of its ranking.

Tiles are made again in the backward pass, so that users x games are never held (Cheng et al. 2024, "Breaking the Memory
Barrier: Near Infinite Batch Size Scaling for Contrastive Loss", arXiv 2410.17243).
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import softplus
from torch.utils.checkpoint import checkpoint

from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID

Tile = Callable[[], Tensor]


def softmax_loss(scores_BV: Tensor, hidden_BL: Tensor, owned_BL: Tensor, weights_B: Tensor) -> Tensor:
    """Return sum_bl w_b loss_bl / sum_bl w_b over the hidden games l of users b, a scalar in fp32 or wider.

    loss_bl = log(exp(s_bl) + sum_j exp(s_bj)) - s_bl, where j runs over the games that user b has not. Computed in fp32
    also under autocast. If there is no hidden game, loss and gradients are 0.

    Args:
        scores_BV: scores of all ids; those of padding and the unknown game do not count.
        hidden_BL: int64 ids of the games to find, padded with 0.
        owned_BL: int64 ids of all training games of each user, hidden or not, padded with 0.
        weights_B: how much each hidden game of a user counts, at least 0.
    """
    return tiled_softmax_loss({0: lambda: scores_BV}, hidden_BL, owned_BL, weights_B)


def tiled_softmax_loss(tiles: Mapping[int, Tile], hidden_BL: Tensor, owned_BL: Tensor, weights_B: Tensor) -> Tensor:
    """Return the same of scores that are made a tile at a time, and made again for the gradients.

    Args:
        tiles: first id of each tile -> what makes its scores [B, T]; together all games. A single one is made once.
        hidden_BL, owned_BL, weights_B: as for `softmax_loss`.
    """
    rest, hidden_scores_BL = [], torch.zeros_like(hidden_BL)
    for first, tile in tiles.items():
        if len(tiles) == 1:
            rest_B, found_BL = _reduced(tile, first, hidden_BL, owned_BL)
        else:
            rest_B, found_BL = (
                checkpoint(  # a tile draws nothing, or by a seed of its own: no state of generators to keep
                    _reduced, tile, first, hidden_BL, owned_BL, use_reentrant=False, preserve_rng_state=False
                )
            )
        rest.append(rest_B)
        hidden_scores_BL = hidden_scores_BL + found_BL  # each game is in one tile and 0 in the others
    with torch.autocast(hidden_BL.device.type, enabled=False):
        losses_BL = softplus(torch.stack(rest).logsumexp(0)[:, None] - hidden_scores_BL)
        weights_BL = weights_B[:, None].to(losses_BL.dtype) * (hidden_BL != PADDING_ID)
        total = weights_BL.sum()
        return (weights_BL * losses_BL).sum() / torch.where(total > 0, total, 1.0)


def _reduced(tile: Tile, first: int, hidden_BL: Tensor, owned_BL: Tensor) -> tuple[Tensor, Tensor]:
    """Return all that the loss needs of a tile: log-sum-exp [B] of the games a user has not, and its hidden games'
    scores [B, L], 0 for those that are in another tile."""
    scores_BT = tile()
    with torch.autocast(scores_BT.device.type, enabled=False):
        scores_BT = scores_BT.to(torch.promote_types(scores_BT.dtype, torch.float32))
        return cast(
            tuple[Tensor, Tensor],
            _Reduced.apply(scores_BT, hidden_BL - first, owned_BL - first, FIRST_GAME_ID - first),  # type: ignore[no-untyped-call]
        )


class _Reduced(torch.autograd.Function):
    """Keeps one tensor as large as the tile, and makes one more in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, scores_BT: Tensor, hidden_BL: Tensor, owned_BL: Tensor, no_games: int
    ) -> tuple[Tensor, Tensor]:
        users, width = scores_BT.shape
        inside_BL = (hidden_BL >= 0) & (hidden_BL < width)
        place_BL = hidden_BL.clamp(0, width - 1)
        found_BL = scores_BT.gather(1, place_BL).where(inside_BL, 0.0)
        # a column before and one after the tile, for games outside
        padded = scores_BT.new_empty(users, width + 2)
        rest_BT = padded[:, 1:-1].copy_(scores_BT)
        padded.scatter_(1, (owned_BL + 1).clamp(0, width + 1), -torch.inf)
        rest_BT[:, : max(no_games, 0)] = -torch.inf
        top_B1 = rest_BT.amax(1, keepdim=True)
        top_B1 = top_B1.masked_fill(top_B1 == -torch.inf, 0.0)  # a user who has every game
        total_B1 = rest_BT.sub_(top_B1).exp_().sum(1, keepdim=True)
        ctx.save_for_backward(rest_BT, total_B1, place_BL, inside_BL)
        return (total_B1.log() + top_B1)[:, 0], found_BL

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_rest_B: Tensor, grad_found_BL: Tensor) -> tuple[Tensor, None, None, None]:
        rest_BT, total_B1, place_BL, inside_BL = ctx.saved_tensors
        # a total of 0, of a user who has every game of the tile, may have any gradient; others are 1 or more
        share_B1 = (grad_rest_B[:, None] / total_B1).masked_fill(total_B1 == 0, 0.0)
        grad_BT = rest_BT * share_B1
        return grad_BT.scatter_add_(1, place_BL, grad_found_BL.where(inside_BL, 0.0)), None, None, None
