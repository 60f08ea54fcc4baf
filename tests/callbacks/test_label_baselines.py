from collections import Counter

import pytest
import torch

from memcom_rank.baselines import SMOOTHINGS, NaiveBayes
from memcom_rank.callbacks.label_baselines import label_baselines
from memcom_rank.data import RankingData
from tests.data.tiny import labelled_clusters, write_tables


def test_the_majority_of_training_users_in_plain_python(labelled):
    data = RankingData(str(labelled))
    trained, tested = (data.dataset.labels[data.dataset.labelled(split)].tolist() for split in ("train", "test"))
    most = Counter(trained).most_common(1)[0][0]
    found = label_baselines(data, "test", [3])
    assert found["majority"] == {"accuracy": pytest.approx(tested.count(most) / len(tested))}
    assert found["majority"]["accuracy"] < 0.7 < found["naive_bayes"]["accuracy"]


def test_games_that_tell_the_label_are_learnt_from_training_users_alone(tmp_path):
    found = label_baselines(RankingData(str(labelled_clusters(tmp_path))), "test", [])
    assert found["naive_bayes"]["accuracy"] == 1
    assert found["majority"]["accuracy"] == 0.5


def test_the_smoothing_is_the_best_on_validation_and_measured_on_test(tmp_path):
    """One training user owns the rare game 4: only little smoothing believes it."""
    histories = [[2], [2], [2, 3], [3, 4], [4], [4], [2], [3]]
    labels = [("train", x) for x in "aaab"] + [("validation", "b"), ("test", "b"), ("test", "a"), ("test", "a")]
    data = RankingData(str(write_tables(tmp_path, histories=histories, labels=labels)))
    found = label_baselines(data, "test", [])["naive_bayes"]
    right = {}
    games = torch.tensor([game for own in histories[:4] for game in own])
    of_rows = torch.tensor([0, 0, 0, 0, 1, 1])
    for smoothing in SMOOTHINGS:
        model = NaiveBayes(smoothing).fit(of_rows, games, torch.tensor([0, 0, 0, 1]), 2, 5)
        right[smoothing] = float(model.score(torch.tensor([[4]])).argmax() == 1)
    assert found["smoothing"] == max(right, key=right.get)
    assert found["accuracy"] == 1
    assert set(right.values()) == {0.0, 1.0}
