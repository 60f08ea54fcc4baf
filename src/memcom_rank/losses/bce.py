"""Losses room (floor 1): each game a yes or no of its own.

Takes scores of hidden games and of a step's candidates -> gives the binary cross entropy of sigmoid(score), target 1
for the hidden game and 0 for its candidates, as in SASRec (Kang and McAuley 2018, "Self-Attentive Sequential
Recommendation") with K candidates instead of one.
"""

from torch import Tensor
from torch.nn.functional import softplus

from memcom_rank.losses.terms import fp32_or_wider, weighted_mean


def bce_loss(preferred_N: Tensor, other_NK: Tensor, real_NK: Tensor, log_q_NK: Tensor, weights_N: Tensor) -> Tensor:
    """Return sum_n w_n loss_n / sum_n w_n, a scalar in fp32 or wider.

    loss_n is the sum of -log sigmoid(s_n) and, for each real candidate k, -log(1 - sigmoid(s_nk)). Means over all K + 1
    differ by a constant factor at a given K; the sum is of the size of the other losses, for weights beside it.

    Args:
        preferred_N: scores of hidden games.
        other_NK: scores of the K candidates that each should stay above.
        real_NK: bool, False where a candidate does not count. A hidden game without one that does has loss 0.
        log_q_NK: log probability that a candidate is one, or anything that broadcasts to it. Not used.
        weights_N: how much a hidden game counts, at least 0; if all are 0, loss and gradients are 0.
    """
    return weighted_mean(binary_losses(softplus(-fp32_or_wider(preferred_N)), other_NK, real_NK), weights_N)


def binary_losses(preferred_losses_N: Tensor, other_NK: Tensor, real_NK: Tensor) -> Tensor:
    """Return the sum [N] of a hidden game's loss and those of its real candidates; 0 where there is none of these."""
    other_losses_NK = softplus(fp32_or_wider(other_NK)).where(real_NK, 0.0)
    return (preferred_losses_N + other_losses_NK.sum(1)).where(real_NK.any(1), 0.0)
