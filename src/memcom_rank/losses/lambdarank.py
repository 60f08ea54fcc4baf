"""Losses room (floor 1): pairs weighed by what swapping them does to nDCG.

Takes scores of hidden games and of a step's candidates -> gives LambdaRank's loss (Burges 2010, "From RankNet to
LambdaRank to LambdaMART", section 4): RankNet's pairs, each times |delta nDCG|.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from memcom_rank.losses.terms import only_real, score_gaps, weighted_mean


def lambdarank_loss(
    preferred_N: Tensor, user_N: Tensor, other_BK: Tensor, real_BK: Tensor, log_q_BK: Tensor, weights_N: Tensor
) -> Tensor:
    """Return sum_n w_n sum_k |delta nDCG|_nk loss_nk / sum_n w_n, a scalar in fp32 or wider; see `ndcg_changes`.

    Args:
        preferred_N: scores of hidden games.
        user_N: int64, whose each is: a row of `other_BK`.
        other_BK: scores of the K candidates of each user, which its hidden games should stay above.
        real_BK: bool, False where a candidate does not count. A hidden game without one that does has loss 0.
        log_q_BK: log probability that a candidate is one, or anything that broadcasts to it. Not used.
        weights_N: how much a hidden game counts, at least 0; if all are 0, loss and gradients are 0.
    """
    gaps_NK = score_gaps(preferred_N, user_N, only_real(other_BK, real_BK))
    return weighted_mean((ndcg_changes(gaps_NK) * softplus(gaps_NK)).sum(1), weights_N)


def ndcg_changes(gaps_NK: Tensor) -> Tensor:
    """Return |1 / log2(1 + r_preferred) - 1 / log2(1 + r_k)| as [N, K], detached, 0 for others that do not count.

    r are ranks from 1 in the list of the preferred game and its K others, in which it alone is relevant. Of equal
    scores the others come first, in the order given, and the preferred game last: a tie still pulls it up.

    Args:
        gaps_NK: s_k - s_preferred, fp32 or wider, -inf for others that do not count.
    """
    gaps_NK = gaps_NK.detach()
    above_NK = gaps_NK >= 0
    place_K = torch.arange(1, gaps_NK.shape[1] + 1, device=gaps_NK.device).expand_as(gaps_NK)
    order_NK = gaps_NK.argsort(dim=1, descending=True, stable=True)
    rank_NK = torch.empty_like(order_NK).scatter_(1, order_NK, place_K) + ~above_NK  # the preferred game stands between
    preferred_rank_N1 = 1 + above_NK.sum(1, keepdim=True)
    gain_N1, gain_NK = (1 / (1 + rank.to(gaps_NK.dtype)).log2() for rank in (preferred_rank_N1, rank_NK))
    return (gain_N1 - gain_NK).abs() * (gaps_NK > -torch.inf)
