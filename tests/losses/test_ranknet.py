import math

import pytest
import torch
from torch.nn import functional

from memcom_rank.losses import ranknet, ranknet_loss
from tests.losses.samples import draw, mean_of_a_loop, one_each, sample


def of_one(preferred, others):
    gaps = [math.exp(score - preferred) for score, _ in others]
    return sum((1 + gap) / (1 + sum(gaps)) * math.log1p(gap) for gap in gaps)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_equals_a_loop_over_pairs(scale):
    parts = sample(scale=scale)
    assert ranknet_loss(*parts).item() == pytest.approx(mean_of_a_loop(of_one, *parts), rel=1e-8)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_gradients_are_those_of_a_softmax_over_the_hidden_game_and_its_candidates(scale):
    preferred_N, user_N, other_BK, real_BK, log_q_K, weights_N = sample(8, 6, scale=scale)
    scores = preferred_N.requires_grad_(), other_BK.requires_grad_()
    found = torch.autograd.grad(ranknet_loss(scores[0], user_N, scores[1], real_BK, log_q_K, weights_N), scores)
    logits = torch.cat([preferred_N[:, None], other_BK.masked_fill(~real_BK, -torch.inf)[user_N]], dim=1)
    losses_N = functional.cross_entropy(logits, torch.zeros(8, dtype=torch.int64), reduction="none")
    wanted = torch.autograd.grad((weights_N * losses_N).sum() / weights_N.sum(), scores)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("at_once", [1, 7, 12, 2**18])
def test_gradients_are_those_of_weighted_pairs_whatever_the_tiles(monkeypatch, at_once):
    """As the docstring has it: weights held constant, pairs of RankNet."""
    monkeypatch.setattr(ranknet, "_MAX_PAIRS", at_once)
    preferred_N, user_N, other_BK, real_BK, log_q_K, weights_N = sample(9, 6)
    scores = preferred_N.requires_grad_(), other_BK.requires_grad_()
    gaps_NK = (other_BK.masked_fill(~real_BK, -torch.inf))[user_N] - preferred_N[:, None]
    odds_NK = gaps_NK.detach().exp()
    p_NK = (1 + odds_NK) / (1 + odds_NK.sum(1, keepdim=True))
    pairs_N = (p_NK * functional.softplus(gaps_NK)).sum(1)
    plain = (weights_N * pairs_N).sum() / weights_N.sum()
    found = ranknet_loss(preferred_N, user_N, other_BK, real_BK, log_q_K, weights_N)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=0)
    for a, b in zip(torch.autograd.grad(found, scores), torch.autograd.grad(plain, scores), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14)


def test_no_pair_is_kept_for_the_backward_pass():
    """Ten hidden games a user: what is kept are rows of users, not of hidden games."""
    scores_BK, kept = draw(4, 1000).requires_grad_(), []
    parts = draw(40), torch.arange(40) // 10, scores_BK, torch.ones(4, 1000, dtype=torch.bool)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        ranknet_loss(*parts, torch.zeros(1000), torch.ones(40))
    assert max(kept) == scores_BK.numel()


def test_of_one_candidate_it_is_binary_cross_entropy_of_the_difference():
    preferred_N, other_NK, weights_N = draw(40), draw(40, 1, seed=1), draw(40, seed=2).abs()
    wanted = functional.binary_cross_entropy(
        torch.sigmoid(preferred_N - other_NK[:, 0]), torch.ones(40).double(), weights_N, reduction="sum"
    )
    found = ranknet_loss(*one_each(preferred_N, other_NK, weights_N=weights_N))
    assert found.item() == pytest.approx((wanted / weights_N.sum()).item(), rel=1e-12)


def test_adding_a_constant_to_all_scores_changes_nothing():
    preferred_N, user_N, other_BK, *rest = sample()
    moved = ranknet_loss(preferred_N + 5, user_N, other_BK + 5, *rest)
    assert moved.item() == pytest.approx(ranknet_loss(*sample()).item(), rel=1e-12)
