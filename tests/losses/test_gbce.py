import functools
import math

import pytest
import torch
from scipy.optimize import minimize

from memcom_rank.losses import bce_loss, gbce_loss
from tests.losses.samples import mean_of_a_loop, one_each, sample


def of_one(preferred, others, t):
    alpha = len(others) / sum(math.exp(-log_q) for _, log_q in others)
    beta = alpha * (t * (1 - 1 / alpha) + 1 / alpha)  # as in the paper
    losses = [-math.log((1 / (1 + math.exp(-preferred))) ** beta)] + [math.log1p(math.exp(s)) for s, _ in others]
    return sum(losses)


@pytest.mark.parametrize("t", [0.0, 0.75, 1.0])
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_equals_a_loop_of_the_papers_formula(t, scale):
    parts = sample(scale=scale)
    wanted = mean_of_a_loop(functools.partial(of_one, t=t), *parts)
    assert gbce_loss(*parts, t=t).item() == pytest.approx(wanted, rel=1e-10)


def test_the_default_is_the_papers():
    assert gbce_loss(*sample()).item() == gbce_loss(*sample(), t=0.75).item() != gbce_loss(*sample(), t=0.5).item()


def test_is_binary_cross_entropy_without_calibration_and_where_nothing_is_left_out():
    *scores, log_q_K, weights_N = sample()
    wanted = bce_loss(*sample()).item()
    assert gbce_loss(*sample(), t=0.0).item() == pytest.approx(wanted, rel=1e-12)
    whole = gbce_loss(*scores, torch.zeros_like(log_q_K), weights_N, t=1.0)
    assert whole.item() == pytest.approx(wanted, rel=1e-12)


def test_calibrated_in_full_scores_mean_probabilities():
    """One game hidden in a share p of the cases, else among the negatives, of which a share alpha is drawn."""
    p, alpha = 0.3, 0.2

    def expected(score):
        own, other = torch.tensor([score[0]]), torch.tensor([[score[0]]])
        log_q = torch.tensor([math.log(alpha)], dtype=torch.float64)
        # the loss of the pair is linear in its two terms: take each alone by silencing the other
        hidden = gbce_loss(*one_each(own, torch.full((1, 1), -1e4).double(), log_q_K=log_q), t=1.0)
        other = gbce_loss(*one_each(torch.full((1,), 1e4).double(), other, log_q_K=log_q), t=1.0)
        return (p * hidden + (1 - p) * alpha * other).item()

    best = minimize(expected, [0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-14}).x[0]
    assert 1 / (1 + math.exp(-best)) == pytest.approx(p, abs=1e-4)
