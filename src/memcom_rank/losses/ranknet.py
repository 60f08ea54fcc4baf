"""Losses room (floor 1): RankNet's pairwise logistic loss, with weights that make it mind the top.

Takes scores of hidden games and of a step's candidates -> gives the weighted sum of -log sigmoid(s_preferred -
s_other): the cross entropy of P(preferred > other) = sigmoid(difference) with target 1 (Burges et al. 2005, "Learning
to Rank using Gradient Descent", equations 1-3). With its original, equal pairs it is `bpr_loss`.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from memcom_rank.losses.terms import only_real, score_gaps, softmax_losses, weighted_mean

_MAX_PAIRS = 2**18  # weighed at once: 1 MB of fp32, which stays in a core's cache


def ranknet_loss(
    preferred_N: Tensor, user_N: Tensor, other_BK: Tensor, real_BK: Tensor, log_q_BK: Tensor, weights_N: Tensor
) -> Tensor:
    """Return sum_n w_n sum_k p_nk loss_nk / sum_n w_n, a scalar in fp32 or wider.

    With d_k = s_k - s_preferred and loss_k = log(1 + e^d_k), the pair weights p_k = (1 + e^d_k) / (1 + sum_j e^d_j) are
    held constant. They grow with how far the other game stands above the rest: LambdaRank's idea of weighing each pair
    by what it does to the ranking (Burges 2010, section 4), chosen so that the pairs' gradients p_k sigmoid(d_k) add up
    to those of a softmax over the preferred game and the K others. An easy preferred game then pulls little, and the
    hardest others push most. So the gradients are taken from that softmax, which is summed once for each user, and the
    pairs are made for the value alone, a tile at a time.

    Args:
        preferred_N: scores of hidden games.
        user_N: int64, whose each is: a row of `other_BK`.
        other_BK: scores of the K candidates of each user, which its hidden games should stay above.
        real_BK: bool, False where a candidate does not count. A hidden game without one that does has loss 0.
        log_q_BK: log probability that a candidate is one, or anything that broadcasts to it. Not used.
        weights_N: how much a hidden game counts, at least 0; if all are 0, loss and gradients are 0.
    """
    other_BK = only_real(other_BK, real_BK)
    log_totals_N = softmax_losses(preferred_N, user_N, other_BK)  # log(1 + sum_j e^d_j)
    losses_N = _pair_sums(log_totals_N.detach(), preferred_N.detach(), user_N, other_BK.detach())
    return weighted_mean(losses_N + (log_totals_N - log_totals_N.detach()), weights_N)


def _pair_sums(log_totals_N: Tensor, preferred_N: Tensor, user_N: Tensor, other_BK: Tensor) -> Tensor:
    """Return sum_k p_nk loss_nk as [N]."""
    at_once = max(_MAX_PAIRS // max(other_BK.shape[1], 1), 1)
    parts = (torch.split(values_N, at_once) for values_N in (log_totals_N, preferred_N, user_N))
    sums = []
    for log_totals_n, preferred_n, user_n in zip(*parts, strict=True):
        losses_nK = softplus(score_gaps(preferred_n, user_n, other_BK))
        sums.append(((losses_nK - log_totals_n[:, None]).exp() * losses_nK).sum(1))
    return torch.cat(sums)
