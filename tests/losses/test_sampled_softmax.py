import itertools
import math

import pytest
import torch
from torch.nn import functional

from memcom_rank.losses import sampled_softmax_loss, softmax_loss
from tests.losses.samples import draw, mean_of_a_loop, one_each, sample


def of_one(preferred, others):
    total = math.exp(preferred) + sum(math.exp(score) / math.exp(log_q) for score, log_q in others)
    return -math.log(math.exp(preferred) / total)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_equals_a_loop(scale):
    parts = sample(scale=scale)
    assert sampled_softmax_loss(*parts).item() == pytest.approx(mean_of_a_loop(of_one, *parts), rel=1e-10)


def test_with_all_games_it_is_cross_entropy():
    preferred_N, other_NK = draw(7), draw(7, 9, seed=1)
    wanted = functional.cross_entropy(torch.cat([preferred_N[:, None], other_NK], 1), torch.zeros(7, dtype=torch.int64))
    found = sampled_softmax_loss(*one_each(preferred_N, other_NK))
    assert found.item() == pytest.approx(wanted.item(), rel=1e-12)


def test_with_all_games_it_is_the_softmax_loss_of_the_classifier():
    scores_BV, hidden_BL, owned_BL = draw(2, 9), torch.tensor([[2, 3], [5, 0]]), torch.tensor([[2, 3], [5, 0]])
    real_BV = torch.ones(2, 9, dtype=torch.bool).scatter_(1, owned_BL, False)
    real_BV[:, :2] = False
    weights = torch.tensor([1.0, 3.0])
    user_N, game_N = torch.tensor([0, 0, 1]), torch.tensor([2, 3, 5])
    parts = scores_BV[user_N, game_N], user_N, scores_BV, real_BV, torch.zeros(9), weights[user_N]
    found = sampled_softmax_loss(*parts)
    assert found.item() == pytest.approx(softmax_loss(scores_BV, hidden_BL, owned_BL, weights).item(), rel=1e-12)


def test_the_sum_over_candidates_is_unbiased():
    """Every set of 3 of 6 games, each as likely and with its own inclusion probability: exact, not sampled."""
    preferred, other_K = draw(1), draw(6, seed=1)
    sets = list(itertools.combinations(range(6), 3))
    chance = torch.tensor([math.exp(draw(1, seed=sum(s)).item()) for s in sets], dtype=torch.float64)
    chance /= chance.sum()
    q_K = torch.tensor([sum(p.item() for p, s in zip(chance, sets, strict=True) if k in s) for k in range(6)])
    mean = 0.0
    for p, places in zip(chance.tolist(), sets, strict=True):
        kept = list(places)
        found = sampled_softmax_loss(*one_each(preferred, other_K[None, kept], log_q_K=q_K[kept].log()))
        mean += p * (found.exp().item() - 1) * preferred.exp().item()  # the estimate of the sum
    assert mean == pytest.approx(other_K.exp().sum().item(), rel=1e-6)
