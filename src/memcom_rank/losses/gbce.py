"""Losses room (floor 1): binary cross entropy that does not grow overconfident on few candidates.

Takes scores of hidden games and of candidates with the probabilities of their being candidates -> gives gBCE (Petrov
and Macdonald 2023, "gSASRec: Reducing Overconfidence in Sequential Recommendation Trained with Negative Sampling").
"""

from torch import Tensor
from torch.nn.functional import softplus

from memcom_rank.losses.bce import binary_losses
from memcom_rank.losses.terms import fp32_or_wider, weighted_mean


def gbce_loss(
    preferred_N: Tensor,
    user_N: Tensor,
    other_BK: Tensor,
    real_BK: Tensor,
    log_q_BK: Tensor,
    weights_N: Tensor,
    *,
    t: float = 0.75,
) -> Tensor:
    """Return sum_n w_n loss_n / sum_n w_n, a scalar in fp32 or wider.

    loss_n is the sum of -log sigmoid(s_n)^beta and, for each real candidate k of user b, -log(1 - sigmoid(s_bk)), with
    beta = alpha (t (1 - 1 / alpha) + 1 / alpha) = 1 - t (1 - alpha). alpha is the share of a user's negatives that are
    candidates: q where all are as probable. Else it is estimated: K real candidates stand for sum_k 1 / q_k games
    (Horvitz and Thompson 1952), so alpha = K / sum_k 1 / q_k.

    Args:
        preferred_N: scores of hidden games.
        user_N: int64, whose each is: a row of `other_BK`.
        other_BK: scores of the K candidates of each user, which its hidden games should stay above.
        real_BK: bool, False where a candidate does not count. A hidden game without one that does has loss 0.
        log_q_BK: log probability that a candidate is one, or anything that broadcasts to it.
        weights_N: how much a hidden game counts, at least 0; if all are 0, loss and gradients are 0.
        t: calibration: 0 is `bce_loss`; at 1 the sigmoid of a score means a probability again.
    """
    games_BK = (-fp32_or_wider(log_q_BK)).exp().expand_as(other_BK).where(real_BK, 0.0)
    alpha_B = real_BK.sum(1) / games_BK.sum(1).clamp(min=1)  # each candidate stands for at least one
    beta_B = 1 - t * (1 - alpha_B)
    preferred_losses_N = beta_B[user_N] * softplus(-fp32_or_wider(preferred_N))
    return weighted_mean(binary_losses(preferred_losses_N, user_N, other_BK, real_BK), weights_N)
