import math

import pytest
import torch
from sklearn.metrics import ndcg_score
from torchmetrics.functional.retrieval import retrieval_normalized_dcg

from memcom_rank.metrics import NDCG, ndcg, rank_targets


@pytest.mark.parametrize("k", [1, 3, 10, 100, None])
def test_equals_scikit_learn_with_ties(tied_world, k):
    values = ndcg(rank_targets(*tied_world), k)
    for user, value in enumerate(values.tolist()):
        games = tied_world.candidates(user)
        relevant = [[float(i in tied_world.targets_BT[user].tolist()) for i in games]]
        assert value == pytest.approx(ndcg_score(relevant, tied_world.scores_BV[user, games][None], k=k), abs=1e-12)


@pytest.mark.parametrize("k", [1, 3, 10, None])
def test_equals_torchmetrics_without_ties(plain_world, k):
    values = ndcg(rank_targets(*plain_world), k)
    for user, value in enumerate(values.tolist()):
        games = torch.tensor(plain_world.candidates(user))
        relevant = torch.isin(games, plain_world.targets_BT[user])
        wanted = retrieval_normalized_dcg(plain_world.scores_BV[user, games], relevant, top_k=k)
        assert value == pytest.approx(wanted.item(), abs=1e-6)  # torchmetrics computes in fp32


def test_an_unknown_game_is_a_miss_that_counts_in_the_ideal():
    scores, seen = torch.tensor([[0.0, 9.0, 3.0, 2.0, 1.0]]), torch.tensor([[0]])
    targets = torch.tensor([[3, 1]])
    value = ndcg(rank_targets(scores, targets, targets, seen), 10).item()
    assert value == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)), abs=1e-12)
    # at k = 1 the ideal holds one game only
    assert ndcg(rank_targets(scores, torch.tensor([[2, 1]]), targets, seen), 1).item() == 1.0
    assert ndcg(rank_targets(scores, torch.tensor([[1, 0]]), targets, seen), None).item() == 0.0


def test_mean_is_over_users_with_targets_only(tied_world):
    metric = NDCG(3)
    ranks = rank_targets(*tied_world)
    metric.update(ranks)
    metric.update(ranks)
    counted = [u for u in range(len(tied_world.targets_BT)) if tied_world.targets_BT[u].any()]
    assert metric.compute().item() == pytest.approx(ndcg(ranks, 3)[counted].mean().item(), abs=1e-12)


def test_perfect_ranking_is_one_even_with_k_above_the_catalogue():
    scores = torch.tensor([[0.0, 0.0, 3.0, 2.0, 1.0]])
    targets = torch.tensor([[3, 2]])
    assert ndcg(rank_targets(scores, targets, targets, torch.tensor([[0]])), 1000).item() == pytest.approx(1.0)
