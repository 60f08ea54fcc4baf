"""Losses room (floor 1): each game a yes or no of its own.

Takes scores of hidden games and of a step's candidates -> gives the binary cross entropy of sigmoid(score), target 1
for the hidden game and 0 for its candidates, as in SASRec (Kang and McAuley 2018, "Self-Attentive Sequential
Recommendation") with K candidates instead of one.
"""

from torch import Tensor
from torch.nn.functional import softplus

from memcom_rank.losses.terms import fp32_or_wider, weighted_mean


def bce_loss(
    preferred_N: Tensor, user_N: Tensor, other_BK: Tensor, real_BK: Tensor, log_q_BK: Tensor, weights_N: Tensor
) -> Tensor:
    """Return sum_n w_n loss_n / sum_n w_n, a scalar in fp32 or wider.

    loss_n is the sum of -log sigmoid(s_n) and, for each real candidate k of its user b, -log(1 - sigmoid(s_bk)).
    Means over all K + 1 differ by a constant factor at a given K; the sum is of the size of the other losses, for
    weights beside it.

    Args:
        preferred_N: scores of hidden games.
        user_N: int64, whose each is: a row of `other_BK`.
        other_BK: scores of the K candidates of each user, which its hidden games should stay above.
        real_BK: bool, False where a candidate does not count. A hidden game without one that does has loss 0.
        log_q_BK: log probability that a candidate is one, or anything that broadcasts to it. Not used.
        weights_N: how much a hidden game counts, at least 0; if all are 0, loss and gradients are 0.
    """
    losses_N = binary_losses(softplus(-fp32_or_wider(preferred_N)), user_N, other_BK, real_BK)
    return weighted_mean(losses_N, weights_N)


def binary_losses(preferred_losses_N: Tensor, user_N: Tensor, other_BK: Tensor, real_BK: Tensor) -> Tensor:
    """Return the sum [N] of a hidden game's loss and those of its real candidates; 0 where there is none of these."""
    other_losses_B = softplus(fp32_or_wider(other_BK)).where(real_BK, 0.0).sum(1)
    return (preferred_losses_N + other_losses_B[user_N]).where(real_BK.any(1)[user_N], 0.0)
