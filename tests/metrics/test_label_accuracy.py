import itertools

import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy

from memcom_rank.contract.errors import ConfigError
from memcom_rank.metrics import LabelAccuracy, LabelMetrics


@pytest.mark.parametrize("k", [1, 2, 4])
def test_without_ties_it_is_torchmetrics_micro_accuracy(k):
    draw = torch.Generator().manual_seed(k)
    ours, theirs = LabelAccuracy(k), MulticlassAccuracy(5, top_k=k, average="micro")
    for users in (7, 1, 30):
        scores, labels = torch.randn(users, 5, generator=draw), torch.randint(5, (users,), generator=draw)
        ours.update(scores, labels)
        theirs.update(scores, labels)
    assert ours.compute() == pytest.approx(theirs.compute().item())


@pytest.mark.parametrize("scores", [[1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [2.0, 1.0, 1.0, 0.0]])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_ties_are_the_mean_over_all_orders(scores, k):
    for label in range(4):
        found = []
        for order in itertools.permutations(range(4)):
            first = sorted(order, key=lambda place: -scores[place])[:k]
            found.append(label in first)
        value = LabelAccuracy(k).values(torch.tensor([scores]), torch.tensor([label]))
        assert value.item() == pytest.approx(sum(found) / len(found))


def test_a_score_that_is_no_number_is_a_miss():
    scores = torch.tensor([[float("nan"), 1.0], [float("nan")] * 2, [float("nan"), 1.0]])
    assert LabelAccuracy().values(scores, torch.tensor([0, 0, 1])).tolist() == [0, 0, 0]


def test_all_metrics_of_users_average_to_the_metrics():
    metrics, values = LabelMetrics([3], 4), []
    for seed, users in ((0, 5), (1, 2)):
        draw = torch.Generator().manual_seed(seed)
        values.append(metrics.update(torch.randn(users, 4, generator=draw), torch.randint(4, (users,), generator=draw)))
    found = metrics.compute()
    assert set(found) == {"accuracy", "accuracy@3"}
    for key, value in found.items():
        assert value.dtype == torch.float64
        assert value == torch.cat([part[key] for part in values]).mean()
    metrics.reset()
    assert metrics.metrics["accuracy"].users == 0


def test_cutoffs_at_which_nobody_can_be_wrong_are_left_out():
    assert set(LabelMetrics([2, 3, 5], 3).metrics) == {"accuracy", "accuracy@2"}


@pytest.mark.parametrize("ks", [[1], [3, 3], [0]])
def test_wrong_cutoffs_are_named(ks):
    with pytest.raises(ConfigError, match="cutoffs"):
        LabelMetrics(ks, 5)
