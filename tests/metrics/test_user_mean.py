import pytest
import torch

from memcom_rank.metrics import rank_targets
from memcom_rank.metrics.user_mean import UserMean


class GivenValues(UserMean):
    """Takes values as they come."""

    def add(self, values, targets):
        self.given_B = torch.tensor(values, dtype=torch.float64)
        self.update(ranks_of(targets))

    def values(self, ranks):
        return self.given_B


def ranks_of(targets):
    targets_B1 = torch.tensor(targets).view(-1, 1)
    users = len(targets)
    return rank_targets(torch.zeros(users, 5), targets_B1, targets_B1, torch.zeros(users, 1, dtype=torch.int64))


def test_users_without_targets_are_not_counted_and_batches_weigh_by_users():
    metric = GivenValues()
    metric.add([1.0, 0.5, 7.0], [2, 1, 0])
    metric.add([0.0], [3])
    assert metric.compute().item() == pytest.approx((1.0 + 0.5 + 0.0) / 3)


def test_no_users_is_no_value():
    metric = GivenValues()
    metric.add([1.0], [0])
    assert metric.compute().isnan()


def test_the_sum_stays_in_float64_when_the_module_is_cast_to_half():
    metric = GivenValues().to(torch.bfloat16)
    for _ in range(1000):
        metric.add([0.1], [2])
    assert metric.compute().item() == pytest.approx(0.1, abs=1e-12)


def test_reset_forgets():
    metric = GivenValues()
    metric.add([1.0], [2])
    metric.reset()
    metric.add([0.25], [2])
    assert metric.compute().item() == 0.25
