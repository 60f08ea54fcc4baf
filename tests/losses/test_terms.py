import math

import pytest
import torch

from memcom_rank.losses.terms import fp32_or_wider, score_gaps, weighted_mean


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)],
)
def test_scores_are_widened_and_never_narrowed(given, wanted):
    assert fp32_or_wider(torch.ones(2, dtype=given)).dtype == wanted


def test_gaps_are_differences_and_minus_infinity_where_nothing_counts():
    real = torch.tensor([[True, False], [True, True]])
    found = score_gaps(torch.tensor([1.0, 2.0]), torch.tensor([[4.0, 9.0], [2.0, 0.5]]), real)
    assert found.tolist() == [[3.0, -math.inf], [0.0, -1.5]]


def test_two_bf16_scores_that_differ_are_no_tie():
    preferred, other = torch.tensor([256.0], dtype=torch.bfloat16), torch.tensor([[0.25]], dtype=torch.bfloat16)
    assert score_gaps(preferred, other, torch.tensor([[True]])).item() == -255.75  # bf16 would say -256


def test_the_weighted_mean():
    assert weighted_mean(torch.tensor([1.0, 4.0]), torch.tensor([3.0, 1.0])).item() == 7 / 4
    assert weighted_mean(torch.tensor([1.0, 4.0]), torch.zeros(2)).item() == 0.0
    assert weighted_mean(torch.zeros(0), torch.zeros(0)).item() == 0.0
