import pytest
import torch

from memcom_rank.metrics import rank_targets
from memcom_rank.metrics.user_mean import UserMean


class GivenValues(UserMean):
    """Add values as they come."""

    def update(self, value_B, ranks):
        self.add(value_B, ranks)


def ranks_of(targets):
    targets_B1 = torch.tensor(targets).view(-1, 1)
    users = len(targets)
    return rank_targets(torch.zeros(users, 5), targets_B1, targets_B1, torch.zeros(users, 1, dtype=torch.int64))


def test_users_without_targets_are_not_counted_and_batches_weigh_by_users():
    metric = GivenValues()
    metric.update(torch.tensor([1.0, 0.5, 7.0], dtype=torch.float64), ranks_of([2, 1, 0]))
    metric.update(torch.tensor([0.0], dtype=torch.float64), ranks_of([3]))
    assert metric.compute().item() == pytest.approx((1.0 + 0.5 + 0.0) / 3)


def test_no_users_is_no_value():
    metric = GivenValues()
    metric.update(torch.tensor([1.0], dtype=torch.float64), ranks_of([0]))
    assert metric.compute().isnan()


def test_the_sum_stays_in_float64_when_the_module_is_cast_to_half():
    metric = GivenValues().to(torch.bfloat16)
    for _ in range(1000):
        metric.update(torch.tensor([0.1], dtype=torch.float64), ranks_of([2]))
    assert metric.compute().item() == pytest.approx(0.1, abs=1e-12)


def test_reset_forgets():
    metric = GivenValues()
    metric.update(torch.tensor([1.0], dtype=torch.float64), ranks_of([2]))
    metric.reset()
    metric.update(torch.tensor([0.25], dtype=torch.float64), ranks_of([2]))
    assert metric.compute().item() == 0.25
