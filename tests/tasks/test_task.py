"""What every task shares is tried in test_ranking.py and test_label_classifier.py; here what neither would notice."""

import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings import Full
from memcom_rank.tasks import Classifier, PaperClassifier, RankNet
from tests.data.tiny import labelled_clusters
from tests.tasks.small import NO_SAMPLES, data, task, trainer


@pytest.mark.parametrize("kind", [RankNet, Classifier, PaperClassifier])
@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_a_ranking_task_refuses_labels(tmp_path, kind, command):
    labelled = data(labelled_clusters(tmp_path / "labelled"), **NO_SAMPLES)
    with pytest.raises(ConfigError, match=rf"{kind.__name__} on (.|\n)*2 labels(.|\n)*classifier_label\.yaml"):
        getattr(trainer(), command)(task(kind=kind), labelled)


def test_tasks_say_what_they_report():
    made = task()
    assert made.scorer is made.ranker
    assert (made.role, made.headline) == ("ranker", "ndcg@10")
    assert made.headline in made.columns


@pytest.mark.parametrize(("monitor", "known"), [("val/ndcg@10", False), ("val/accuracy", False), ("val/mrr", True)])
def test_a_metric_that_never_comes_is_not_waited_for(folder, monitor, known):
    made = trainer(callbacks=[EarlyStopping(monitor)])
    if known:
        made.fit(task(), data(folder))
    else:
        with pytest.raises(ConfigError, match=rf"EarlyStopping monitors {monitor}, and RankNet (.|\n)*val/ndcg@3"):
            made.fit(task(), data(folder))


@pytest.mark.parametrize(("command", "times"), [("fit", 1), ("validate", 0), ("test", 0)])
def test_a_technique_looks_at_the_training_games_before_training_alone(folder, monkeypatch, command, times):
    seen = []
    monkeypatch.setattr(Full, "start", lambda self, users_N, ids_N: seen.append((users_N, ids_N)))
    games = data(folder)
    getattr(trainer(), command)(task(embedding=Full), games)
    assert len(seen) == times
    for users_N, ids_N in seen:
        assert torch.equal(users_N, games.dataset.interactions()[0])
        assert torch.equal(ids_N, games.dataset.histories.values)
