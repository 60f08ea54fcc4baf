import math

import pytest
import torch
from sklearn.metrics import ndcg_score

from memcom_rank.losses import lambdarank_loss
from memcom_rank.losses.lambdarank import ndcg_changes
from memcom_rank.losses.terms import only_real, score_gaps
from tests.losses.samples import mean_of_a_loop, one_each, sample


def of_one(preferred, others):
    """Places by sorting the list: by score, the preferred game after its equals, others as given."""
    ranking = sorted([(-score, 0, k) for k, (score, _) in enumerate(others)] + [(-preferred, 1, None)])
    gain = {k: 1 / math.log2(1 + place) for place, (_, _, k) in enumerate(ranking, start=1)}
    pairs = [math.log1p(math.exp(score - preferred)) for score, _ in others]
    return sum(abs(gain[None] - gain[k]) * pair for k, pair in enumerate(pairs))


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_equals_a_loop_over_a_sorted_list(scale):
    parts = sample(scale=scale)
    assert lambdarank_loss(*parts).item() == pytest.approx(mean_of_a_loop(of_one, *parts), rel=1e-10)


def test_equals_the_loop_also_where_scores_are_tied():
    preferred_N, user_N, other_BK, *rest = sample(40, 7)
    parts = (preferred_N.round(), user_N, other_BK.round(), *rest)
    assert (score_gaps(*parts[:3]) == 0).any()
    assert lambdarank_loss(*parts).item() == pytest.approx(mean_of_a_loop(of_one, *parts), rel=1e-10)


def test_changes_are_those_of_scikit_learns_ndcg():
    preferred_N, user_N, other_BK, *_ = sample(5, 6)
    scores = torch.cat([preferred_N[:, None], other_BK[user_N]], 1)
    relevant = [[1.0] + [0.0] * 6]
    found = ndcg_changes(score_gaps(preferred_N, user_N, other_BK))
    for n in range(5):
        now = ndcg_score(relevant, scores[n : n + 1].numpy())
        for k in range(6):
            swapped = scores[n : n + 1].clone()
            swapped[0, [0, k + 1]] = swapped[0, [k + 1, 0]]
            assert found[n, k].item() == pytest.approx(abs(ndcg_score(relevant, swapped.numpy()) - now), rel=1e-9)


def test_an_all_tied_start_still_pulls():
    preferred_N = torch.zeros(1, requires_grad=True)
    lambdarank_loss(*one_each(preferred_N, torch.zeros(1, 3))).backward()
    assert preferred_N.grad.item() < 0


def test_gradients_are_the_papers_lambdas():
    """-|delta nDCG| / (1 + e^(s_preferred - s_k)) for each pair."""
    preferred_N, user_N, other_BK, real_BK, log_q_K, weights_N = sample()
    lambdarank_loss(preferred_N, user_N, other_BK.requires_grad_(), real_BK, log_q_K, weights_N).backward()
    gaps_NK = score_gaps(preferred_N, user_N, only_real(other_BK.detach(), real_BK))
    lambdas_NK = ndcg_changes(gaps_NK) * torch.sigmoid(gaps_NK) * weights_N[:, None] / weights_N.sum()
    torch.testing.assert_close(other_BK.grad, torch.zeros_like(other_BK).index_add(0, user_N, lambdas_NK))
