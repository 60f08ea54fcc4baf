import math

import pytest
import torch
from sklearn.metrics import ndcg_score

from memcom_rank.metrics import GradedNDCG, graded_ndcg, ndcg, rank_targets


@pytest.mark.parametrize("k", [1, 3, 10, 100, None])
def test_equals_scikit_learn_with_ties(tied_world, k):
    values = graded_ndcg(rank_targets(*tied_world), k)
    for user, value in enumerate(values.tolist()):
        games = tied_world.candidates(user)
        grade = dict(zip(tied_world.targets_BT[user].tolist(), tied_world.grades_BT[user].tolist(), strict=True))
        gains = [[grade.get(i, 0) for i in games]]
        assert value == pytest.approx(ndcg_score(gains, tied_world.scores_BV[user, games][None], k=k), abs=1e-12)


def test_equal_grades_give_the_binary_value(tied_world):
    ranks = rank_targets(*tied_world._replace(grades_BT=torch.full_like(tied_world.grades_BT, 4)))
    torch.testing.assert_close(graded_ndcg(ranks, 3), ndcg(ranks, 3), atol=1e-12, rtol=0)


def test_an_unknown_game_counts_in_the_ideal_with_its_grade():
    scores, seen = torch.tensor([[0.0, 9.0, 3.0, 2.0]]), torch.tensor([[0]])
    ranks = rank_targets(scores, torch.tensor([[2, 1]]), torch.tensor([[1, 4]]), seen)
    assert graded_ndcg(ranks, None).item() == pytest.approx(1 / (4 + 1 / math.log2(3)), abs=1e-12)


def test_metric_is_the_mean_of_the_function(unknown_world):
    ranks = rank_targets(*unknown_world)
    metric = GradedNDCG(10)
    metric.update(ranks)
    counted = unknown_world.targets_BT.any(1)
    assert metric.compute().item() == pytest.approx(graded_ndcg(ranks, 10)[counted].mean().item(), abs=1e-12)
