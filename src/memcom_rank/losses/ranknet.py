"""Losses room (floor 1): RankNet's pairwise logistic loss, with weights that make it mind the top.

Takes scores of hidden games and of a step's candidates -> gives the weighted sum of -log sigmoid(s_preferred -
s_other): the cross entropy of P(preferred > other) = sigmoid(difference) with target 1 (Burges et al. 2005, "Learning
to Rank using Gradient Descent", equations 1-3). With its original, equal pairs it is `bpr_loss`.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from memcom_rank.losses.terms import score_gaps, weighted_mean


def ranknet_loss(preferred_N: Tensor, other_NK: Tensor, real_NK: Tensor, log_q_NK: Tensor, weights_N: Tensor) -> Tensor:
    """Return sum_n w_n sum_k p_nk loss_nk / sum_n w_n, a scalar in fp32 or wider; p_nk are `top_heavy_weights`.

    Args:
        preferred_N: scores of hidden games.
        other_NK: scores of the K candidates that each should stay above.
        real_NK: bool, False where a candidate does not count. A hidden game without one that does has loss 0.
        log_q_NK: log probability that a candidate is one, or anything that broadcasts to it. Not used.
        weights_N: how much a hidden game counts, at least 0; if all are 0, loss and gradients are 0.
    """
    gaps_NK = score_gaps(preferred_N, other_NK, real_NK)
    losses_NK = softplus(gaps_NK)
    return weighted_mean((top_heavy_weights(gaps_NK, losses_NK) * losses_NK).sum(1), weights_N)


def top_heavy_weights(gaps_NK: Tensor, losses_NK: Tensor) -> Tensor:
    """Return pair weights [N, K], detached, that grow with how far the other game stands above the rest.

    With d_k = s_k - s_preferred, p_k = (1 + e^d_k) / (1 + sum_j e^d_j): LambdaRank's idea of weighing each pair by
    what it does to the ranking (Burges 2010, section 4), chosen so that the pairs' gradients p_k sigmoid(d_k) add up
    to those of a softmax over the preferred game and the K others. An easy preferred game then pulls little, and the
    hardest others push most.

    Args:
        gaps_NK: d_k, fp32 or wider, -inf for others that do not count: their weight means nothing, their loss is 0.
        losses_NK: log(1 + e^d_k), which the caller has.
    """
    gaps_NK = gaps_NK.detach()
    log_total_N1 = torch.logaddexp(gaps_NK.logsumexp(1, keepdim=True), gaps_NK.new_zeros(1))
    return (losses_NK.detach() - log_total_N1).exp()
