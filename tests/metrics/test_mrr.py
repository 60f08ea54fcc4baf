import pytest
import torch
from torchmetrics.functional.retrieval import retrieval_reciprocal_rank

from memcom_rank.metrics import MRR, rank_targets, reciprocal_rank


def test_equals_torchmetrics_without_ties(plain_world):
    values = reciprocal_rank(rank_targets(*plain_world))
    for user, value in enumerate(values.tolist()):
        games = torch.tensor(plain_world.candidates(user))
        relevant = torch.isin(games, plain_world.targets_BT[user])
        scores = plain_world.scores_BV[user, games].sigmoid()  # torchmetrics never retrieves a score of 0 or below
        wanted = retrieval_reciprocal_rank(scores, relevant)
        assert value == pytest.approx(wanted.item(), abs=1e-6)


def test_one_tied_target_has_the_mean_of_its_positions():
    scores = torch.tensor([[0.0, 0.0, 5.0, 1.0, 1.0, 1.0]])
    ids = torch.tensor([[3]])
    value = reciprocal_rank(rank_targets(scores, ids, ids, torch.tensor([[0]]))).item()
    assert value == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3, abs=1e-12)


def test_metric_counts_users_with_only_unknown_games_as_zero():
    scores = torch.tensor([[0.0, 0.0, 2.0, 1.0]]).expand(3, -1)
    targets = torch.tensor([[3], [1], [0]])  # second place, unknown, no target
    metric = MRR()
    metric.update(rank_targets(scores, targets, targets, torch.zeros(3, 1, dtype=torch.int64)))
    assert metric.compute().item() == pytest.approx((1 / 2 + 0) / 2, abs=1e-12)
