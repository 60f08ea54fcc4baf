"""Losses room (floor 1): RankNet's pairwise logistic loss.

Takes scores of preferred and other games -> gives the weighted mean of -log sigmoid(s_preferred - s_other): the cross
entropy of P(preferred > other) = sigmoid(difference) with target 1 (Burges et al. 2005, "Learning to Rank using
Gradient Descent", equations 1-3).
"""

import torch
from torch import Tensor
from torch.nn import functional


def ranknet_loss(preferred_scores: Tensor, other_scores: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of the pairwise logistic loss, a scalar in fp32 or wider.

    Computed in fp32 also under autocast: in bf16 about 1% of pairs become exact ties.

    Args:
        preferred_scores: [...] for example [N] or [B, P].
        other_scores: [...] one other game per preferred one, or [..., K] K of them.
        weights: how much a pair counts, at least 0, of the shape of either; 0 for padding. If all are 0, the loss
            and its gradients are 0.
    """
    with torch.autocast(preferred_scores.device.type, enabled=False):
        preferred, other = _fp32_or_wider(preferred_scores), _fp32_or_wider(other_scores)
        weights = weights.to(preferred.dtype)
        if other.dim() > preferred.dim():
            preferred = preferred.unsqueeze(-1)
        if other.dim() > weights.dim():
            weights = weights.unsqueeze(-1)
        losses = -functional.logsigmoid(preferred - other)
        total = weights.expand_as(losses).sum()
        return (weights * losses).sum() / torch.where(total > 0, total, 1.0)


def _fp32_or_wider(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
