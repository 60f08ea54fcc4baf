import math

import pytest
import torch
from torch.nn import functional

from memcom_rank.losses import bce_loss
from tests.losses.samples import draw, mean_of_a_loop, one_each, sample


def of_one(preferred, others):
    losses = [math.log1p(math.exp(-preferred))] + [math.log1p(math.exp(score)) for score, _ in others]
    return sum(losses)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_equals_a_loop(scale):
    parts = sample(scale=scale)
    assert bce_loss(*parts).item() == pytest.approx(mean_of_a_loop(of_one, *parts), rel=1e-10)


def test_equals_torchs_binary_cross_entropy():
    preferred_N, other_NK = draw(8), draw(8, 4, seed=1)
    targets_N5 = torch.tensor([1.0, 0, 0, 0, 0]).double().expand(8, 5)
    logits_N5 = torch.cat([preferred_N[:, None], other_NK], 1)
    wanted = functional.binary_cross_entropy_with_logits(logits_N5, targets_N5, reduction="sum") / 8
    found = bce_loss(*one_each(preferred_N, other_NK))
    assert found.item() == pytest.approx(wanted.item(), rel=1e-12)
