"""Losses room (floor 1): the softmax over the whole catalogue, estimated from a step's candidates.

Takes scores of hidden games and of candidates with the probabilities of their being candidates -> gives the weighted
mean of -log softmax(s_preferred). Candidate k stands for 1 / q_k games: its score enters as s_k - log q_k (Bengio and
Senecal 2008, "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language Model"; the "logQ
correction" of Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations").
"""

from torch import Tensor

from memcom_rank.losses.terms import fp32_or_wider, only_real, softmax_losses, weighted_mean


def sampled_softmax_loss(
    preferred_N: Tensor, user_N: Tensor, other_BK: Tensor, real_BK: Tensor, log_q_BK: Tensor, weights_N: Tensor
) -> Tensor:
    """Return sum_n w_n loss_n / sum_n w_n, a scalar in fp32 or wider.

    loss_n = log(exp(s_n) + sum_k exp(s_bk - log q_bk)) - s_n. With inclusion probabilities q the sum over k is unbiased
    for that over all games that the user has not (Horvitz and Thompson 1952); the hidden game itself is always there,
    uncorrected. With the whole catalogue as candidates log q is 0, and this is `softmax_loss`.

    Args:
        preferred_N: scores of hidden games.
        user_N: int64, whose each is: a row of `other_BK`.
        other_BK: scores of the K candidates of each user, which its hidden games should stay above.
        real_BK: bool, False where a candidate does not count. A hidden game without one that does has loss 0.
        log_q_BK: log probability that a candidate is one, or anything that broadcasts to it.
        weights_N: how much a hidden game counts, at least 0; if all are 0, loss and gradients are 0.
    """
    corrected_BK = only_real(other_BK, real_BK) - fp32_or_wider(log_q_BK)
    return weighted_mean(softmax_losses(preferred_N, user_N, corrected_BK), weights_N)
