import math

import pytest
import torch
from torch.nn import functional

from memcom_rank.losses.terms import fp32_or_wider, only_real, score_gaps, softmax_losses, weighted_mean
from tests.losses.samples import sample


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)],
)
def test_scores_are_widened_and_never_narrowed(given, wanted):
    assert fp32_or_wider(torch.ones(2, dtype=given)).dtype == wanted


def test_scores_of_candidates_that_do_not_count_are_minus_infinity():
    found = only_real(torch.tensor([[4.0, 9.0]], dtype=torch.bfloat16), torch.tensor([[True, False]]))
    assert found.tolist() == [[4.0, -math.inf]]
    assert found.dtype == torch.float32


def test_gaps_are_the_candidates_of_a_hidden_games_user_minus_its_score():
    found = score_gaps(torch.tensor([1.0, 2.0, 5.0]), torch.tensor([0, 1, 1]), torch.tensor([[4.0, 9.0], [2.0, 0.5]]))
    assert found.tolist() == [[3.0, 8.0], [0.0, -1.5], [-3.0, -4.5]]


def test_softmax_losses_are_the_cross_entropy_of_each_hidden_game():
    preferred_N, user_N, other_BK, real_BK, *_ = sample()
    found = softmax_losses(preferred_N, user_N, only_real(other_BK, real_BK))
    for n, user in enumerate(user_N.tolist()):
        logits = torch.cat([preferred_N[n, None], other_BK[user, real_BK[user]]])
        assert found[n].item() == pytest.approx(functional.cross_entropy(logits[None], torch.tensor([0])).item())


def test_two_bf16_scores_that_differ_are_no_tie():
    preferred, other = torch.tensor([256.0], dtype=torch.bfloat16), torch.tensor([[0.25]], dtype=torch.bfloat16)
    assert score_gaps(preferred, torch.tensor([0]), other).item() == -255.75  # bf16 would say -256


def test_the_weighted_mean():
    assert weighted_mean(torch.tensor([1.0, 4.0]), torch.tensor([3.0, 1.0])).item() == 7 / 4
    assert weighted_mean(torch.tensor([1.0, 4.0]), torch.zeros(2)).item() == 0.0
    assert weighted_mean(torch.zeros(0), torch.zeros(0)).item() == 0.0
