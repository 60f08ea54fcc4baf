import math

import pytest
import torch
from torch.nn import functional
from torch.nn.functional import softplus

from memcom_rank.losses import ranknet_loss
from memcom_rank.losses.ranknet import top_heavy_weights
from memcom_rank.losses.terms import score_gaps
from tests.losses.samples import draw, mean_of_a_loop, sample


def of_one(preferred, others):
    gaps = [math.exp(score - preferred) for score, _ in others]
    return sum((1 + gap) / (1 + sum(gaps)) * math.log1p(gap) for gap in gaps)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_equals_a_loop_over_pairs(scale):
    parts = sample(scale=scale)
    assert ranknet_loss(*parts).item() == pytest.approx(mean_of_a_loop(of_one, *parts), rel=1e-8)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_gradients_are_those_of_a_softmax_over_the_hidden_game_and_its_candidates(scale):
    preferred_N, other_NK, real_NK, log_q_K, weights_N = sample(8, 6, scale=scale)
    scores = preferred_N.requires_grad_(), other_NK.requires_grad_()
    found = torch.autograd.grad(ranknet_loss(*scores, real_NK, log_q_K, weights_N), scores)
    logits = torch.cat([preferred_N[:, None], other_NK.masked_fill(~real_NK, -torch.inf)], dim=1)
    losses_N = functional.cross_entropy(logits, torch.zeros(8, dtype=torch.int64), reduction="none")
    wanted = torch.autograd.grad((weights_N * losses_N).sum() / weights_N.sum(), scores)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14)


def test_of_one_candidate_it_is_binary_cross_entropy_of_the_difference():
    preferred_N, other_NK, weights_N = draw(40), draw(40, 1, seed=1), draw(40, seed=2).abs()
    wanted = functional.binary_cross_entropy(
        torch.sigmoid(preferred_N - other_NK[:, 0]), torch.ones(40).double(), weights_N, reduction="sum"
    )
    found = ranknet_loss(preferred_N, other_NK, torch.ones(40, 1, dtype=torch.bool), torch.zeros(1), weights_N)
    assert found.item() == pytest.approx((wanted / weights_N.sum()).item(), rel=1e-12)


def test_adding_a_constant_to_all_scores_changes_nothing():
    preferred_N, other_NK, *rest = sample()
    moved = ranknet_loss(preferred_N + 5, other_NK + 5, *rest)
    assert moved.item() == pytest.approx(ranknet_loss(preferred_N, other_NK, *rest).item(), rel=1e-12)


def test_top_heavy_weights_equal_their_formula():
    preferred_N, other_NK, real_NK, *_ = sample()
    gaps_NK = score_gaps(preferred_N.requires_grad_(), other_NK, real_NK)
    found = top_heavy_weights(gaps_NK, softplus(gaps_NK))
    assert not found.requires_grad
    for n in range(6):
        gaps = [math.exp(other_NK[n, k].item() - preferred_N[n].item()) for k in range(5)]
        total = 1 + sum(gap for gap, real in zip(gaps, real_NK[n].tolist(), strict=True) if real)
        for k in real_NK[n].nonzero()[:, 0].tolist():
            assert found[n, k].item() == pytest.approx((1 + gaps[k]) / total, rel=1e-12)
