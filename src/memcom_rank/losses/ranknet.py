"""Losses room (floor 1): RankNet's pairwise logistic loss and the weights that make it mind the top.

Takes scores of preferred and other games -> gives the weighted mean of -log sigmoid(s_preferred - s_other): the cross
entropy of P(preferred > other) = sigmoid(difference) with target 1 (Burges et al. 2005, "Learning to Rank using
Gradient Descent", equations 1-3).
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus


def ranknet_loss(
    preferred_N: Tensor, other_NK: Tensor, weights_N: Tensor, pair_weights_NK: Tensor | None = None
) -> Tensor:
    """Return sum_n w_n sum_k p_nk loss_nk / sum_n w_n, a scalar in fp32 or wider.

    Computed in fp32 also under autocast: in bf16 about 1% of pairs become exact ties.

    Args:
        preferred_N: scores of preferred games.
        other_NK: scores of K games that each should stay below.
        weights_N: how much a preferred game counts, at least 0; if all are 0, loss and gradients are 0.
        pair_weights_NK: how much each of its pairs counts; None for 1 / K each.
    """
    with torch.autocast(preferred_N.device.type, enabled=False):
        losses_NK = softplus(_fp32_or_wider(other_NK) - _fp32_or_wider(preferred_N)[:, None])
        weights_N = weights_N.to(losses_NK.dtype)
        losses_N = losses_NK.mean(1) if pair_weights_NK is None else (pair_weights_NK * losses_NK).sum(1)
        total = weights_N.sum()
        return (weights_N * losses_N).sum() / torch.where(total > 0, total, 1.0)


def top_heavy_weights(preferred_N: Tensor, other_NK: Tensor, real_NK: Tensor) -> Tensor:
    """Return pair weights [N, K], detached, that grow with how far the other game stands above the rest.

    With d_k = s_k - s_preferred, p_k = (1 + e^d_k) / (1 + sum_j e^d_j): LambdaRank's idea of weighing each pair by
    what it does to the ranking (Burges 2010, section 4), chosen so that the pairs' gradients p_k sigmoid(d_k) add up
    to those of a softmax over the preferred game and the K others. An easy preferred game then pulls little, and the
    hardest others push most.

    Args:
        preferred_N: scores of preferred games.
        other_NK: scores of K games that each should stay below.
        real_NK: bool, False for others that do not count.
    """
    with torch.no_grad(), torch.autocast(preferred_N.device.type, enabled=False):
        gaps_NK = _fp32_or_wider(other_NK) - _fp32_or_wider(preferred_N)[:, None]
        gaps_NK = gaps_NK.masked_fill(~real_NK, -torch.inf)
        log_total_N1 = torch.logaddexp(gaps_NK.logsumexp(1, keepdim=True), gaps_NK.new_zeros(1))
        return (softplus(gaps_NK) - log_total_N1).exp() * real_NK


def _fp32_or_wider(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
