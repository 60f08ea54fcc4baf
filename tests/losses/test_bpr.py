import math

import pytest
import torch
from torch.nn import functional

from memcom_rank.losses import bpr_loss
from tests.losses.samples import draw, mean_of_a_loop, one_each, sample


def of_one(preferred, others):
    return sum(math.log1p(math.exp(score - preferred)) for score, _ in others) / len(others)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_equals_a_loop_over_pairs(scale):
    parts = sample(scale=scale)
    assert bpr_loss(*parts).item() == pytest.approx(mean_of_a_loop(of_one, *parts), rel=1e-10)


def test_equals_binary_cross_entropy_of_the_differences():
    preferred_N, other_NK = draw(40), draw(40, 3, seed=1)
    chance_NK = torch.sigmoid(preferred_N[:, None] - other_NK)
    wanted = functional.binary_cross_entropy(chance_NK, torch.ones(40, 3).double())
    found = bpr_loss(*one_each(preferred_N, other_NK))
    assert found.item() == pytest.approx(wanted.item(), rel=1e-12)


def test_pair_and_swapped_pair_differ_by_the_score_difference():
    """log(1 + e^-d) - log(1 + e^d) = -d."""
    preferred, other = draw(1), draw(1, seed=1)
    found = bpr_loss(*one_each(preferred, other[:, None])) - bpr_loss(*one_each(other, preferred[:, None]))
    assert found.item() == pytest.approx((other - preferred).item(), rel=1e-12)
