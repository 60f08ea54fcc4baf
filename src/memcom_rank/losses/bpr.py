"""Losses room (floor 1): the pairwise logistic loss with equal pairs.

Takes scores of hidden games and of a step's candidates -> gives the weighted mean of -log sigmoid(s_preferred -
s_other). It is BPR-Opt (Rendle et al. 2009, "BPR: Bayesian Personalized Ranking from Implicit Feedback", section 4.1)
without its penalty and, pair by pair, RankNet's original loss (Burges et al. 2005, equation 3): one formula, two names.
"""

from torch import Tensor
from torch.nn.functional import softplus

from memcom_rank.losses.terms import only_real, score_gaps, weighted_mean


def bpr_loss(
    preferred_N: Tensor, user_N: Tensor, other_BK: Tensor, real_BK: Tensor, log_q_BK: Tensor, weights_N: Tensor
) -> Tensor:
    """Return sum_n w_n loss_n / sum_n w_n, a scalar in fp32 or wider; loss_n is the mean over its real candidates.

    Args:
        preferred_N: scores of hidden games.
        user_N: int64, whose each is: a row of `other_BK`.
        other_BK: scores of the K candidates of each user, which its hidden games should stay above.
        real_BK: bool, False where a candidate does not count. A hidden game without one that does has loss 0.
        log_q_BK: log probability that a candidate is one, or anything that broadcasts to it. Not used.
        weights_N: how much a hidden game counts, at least 0; if all are 0, loss and gradients are 0.
    """
    losses_NK = softplus(score_gaps(preferred_N, user_N, only_real(other_BK, real_BK)))
    return weighted_mean(losses_NK.sum(1) / real_BK.sum(1).clamp(min=1)[user_N], weights_N)
