"""Losses room (floor 1): cross entropy of hidden games over the whole catalogue.

Takes scores of all ids -> gives the weighted mean of -log softmax(s_hidden), each hidden game against all games that
the user has not: the multinomial likelihood of Liang et al. 2018 ("Variational Autoencoders for Collaborative
Filtering", equation 2), with the user's other games left out of the sum, as they are of its ranking.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID


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
    with torch.autocast(scores_BV.device.type, enabled=False):
        scores_BV = scores_BV.to(torch.promote_types(scores_BV.dtype, torch.float32))
        left_out_BV = torch.zeros_like(scores_BV, dtype=torch.bool).scatter_(1, owned_BL, True)
        left_out_BV[:, :FIRST_GAME_ID] = True
        rest_B = scores_BV.masked_fill(left_out_BV, -torch.inf).logsumexp(1)
        user_N, place_N = (hidden_BL != PADDING_ID).nonzero(as_tuple=True)
        hidden_N = scores_BV[user_N, hidden_BL[user_N, place_N]]
        losses_N, weights_N = softplus(rest_B[user_N] - hidden_N), weights_B[user_N].to(scores_BV.dtype)
        total = weights_N.sum()
        return (weights_N * losses_N).sum() / torch.where(total > 0, total, 1.0)
