import pytest
import torch
from torchmetrics.functional.retrieval import retrieval_recall

from memcom_rank.metrics import Recall, rank_targets, recall


@pytest.mark.parametrize("k", [1, 3, 10, 100])
def test_equals_torchmetrics_without_ties(plain_world, k):
    values = recall(rank_targets(*plain_world), k)
    for user, value in enumerate(values.tolist()):
        games = torch.tensor(plain_world.candidates(user))
        relevant = torch.isin(games, plain_world.targets_BT[user])
        scores = plain_world.scores_BV[user, games].sigmoid()  # torchmetrics never retrieves a score of 0 or below
        assert value == pytest.approx(retrieval_recall(scores, relevant, top_k=k).item(), abs=1e-6)


def test_ties_count_by_their_chance_of_being_in_the_top_k():
    # four games tied: a target among them is in the top 3 with probability 3/4
    ids = torch.tensor([[2]])
    assert recall(rank_targets(torch.zeros(1, 6), ids, ids, torch.tensor([[0]])), 3).item() == 0.75


def test_an_unknown_game_halves_the_recall_of_two_targets():
    scores = torch.tensor([[0.0, 9.0, 3.0, 2.0]])
    targets = torch.tensor([[2, 1]])
    assert recall(rank_targets(scores, targets, targets, torch.tensor([[0]])), 1).item() == 0.5


def test_metric_is_the_mean_of_the_function(tied_world):
    ranks = rank_targets(*tied_world)
    metric = Recall(3)
    metric.update(ranks)
    counted = tied_world.targets_BT.any(1)
    assert metric.compute().item() == pytest.approx(recall(ranks, 3)[counted].mean().item(), abs=1e-12)
