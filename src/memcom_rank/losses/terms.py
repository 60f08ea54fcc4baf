"""Losses room (floor 1): what the losses over a step's candidates share.

Takes scores of hidden games and of their candidates -> gives their differences, and the mean over hidden games, in fp32
also under autocast: in bf16 about 1% of pairs become exact ties.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus


def fp32_or_wider(values: Tensor) -> Tensor:
    """Return `values` in fp32, or as they are where they are wider."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def only_real(other_BK: Tensor, real_BK: Tensor) -> Tensor:
    """Return the scores of candidates, and -inf, which softplus and exp make 0, for those that do not count."""
    return fp32_or_wider(other_BK).masked_fill(~real_BK, -torch.inf)


def score_gaps(preferred_N: Tensor, user_N: Tensor, other_BK: Tensor) -> Tensor:
    """Return s_k - s_preferred as [N, K]."""
    return fp32_or_wider(other_BK)[user_N] - fp32_or_wider(preferred_N)[:, None]


def softmax_losses(preferred_N: Tensor, user_N: Tensor, other_BK: Tensor) -> Tensor:
    """Return log(e^s + sum_k e^s_k) - s as [N]; the sum over a user's candidates is made once."""
    other_BK = fp32_or_wider(other_BK)
    finite_BK = other_BK.clamp(min=torch.finfo(other_BK.dtype).min)  # of -inf alone, the sum's gradient is no number
    return softplus(finite_BK.logsumexp(1)[user_N] - fp32_or_wider(preferred_N))


def weighted_mean(losses_N: Tensor, weights_N: Tensor) -> Tensor:
    """Return sum_n w_n loss_n / sum_n w_n, a scalar; if all weights are 0, it and its gradients are 0."""
    weights_N = weights_N.to(losses_N.dtype)
    total = weights_N.sum()
    return (weights_N * losses_N).sum() / torch.where(total > 0, total, 1.0)
