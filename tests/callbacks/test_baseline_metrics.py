import json

import pytest
import torch

from memcom_rank.baselines import Ease, ease
from memcom_rank.callbacks import baseline_metrics as module
from memcom_rank.callbacks.baseline_metrics import baseline_metrics, evaluate
from memcom_rank.contract.errors import ConfigError
from memcom_rank.data import RankingData
from memcom_rank.metrics import RankingMetrics
from tests.data.tiny import two_clusters, write_tables

KS = [3, None]


@pytest.fixture
def data(tmp_path):
    return RankingData(str(two_clusters(tmp_path / "clusters")))


def test_the_protocol_again_one_user_at_a_time(data, tmp_path):
    """Popularity counts training games only; what is seen is removed; at test the validation games are seen."""
    found = baseline_metrics(data, "test", KS, tmp_path)["popularity"]
    counts = torch.bincount(data.dataset.histories.values, minlength=data.num_ids).float()
    queries, metrics = data.dataset.queries("test"), RankingMetrics(KS, data.num_ids)
    for place in range(len(queries.rows)):
        here = torch.tensor([place])
        history = queries.histories.padded(here)
        assert history.shape[1] == 7  # 6 of training, 1 of validation
        metrics.update(counts[None], queries.targets.padded(here), queries.grades.padded(here), history)
    assert found == pytest.approx({key: float(value) for key, value in metrics.compute().items()})


def test_eases_ridge_is_the_best_on_validation(data, tmp_path):
    facts = (*data.dataset.interactions(), data.dataset.manifest.num_users, data.num_ids)
    scores = {
        ridge: evaluate(Ease(ridge).fit(*facts).score, data, "validation", [10])["ndcg@10"] for ridge in ease.RIDGES
    }
    ridge = max(scores, key=scores.get)
    wanted = {**evaluate(Ease(ridge).fit(*facts).score, data, "test", KS), "ridge": ridge}
    assert baseline_metrics(data, "test", KS, tmp_path)["ease"] == pytest.approx(wanted)


def test_cold_users_get_the_popular_games_from_ease_too(tmp_path):
    histories = [[], [], *[[2, 3, 4]] * 3, [2, 3], [2]]
    folder = write_tables(
        tmp_path / "cold", histories=histories, validation={0: [2], 2: [5]}, test={1: [3]}, num_games=4
    )
    found = baseline_metrics(RankingData(str(folder)), "test", [1], tmp_path)
    assert found["ease"]["mrr"] == found["popularity"]["mrr"] == 0.5  # second in popularity, for a user without games


def test_what_is_known_is_not_computed_again(data, tmp_path, monkeypatch):
    first = baseline_metrics(data, "test", KS, tmp_path / "cache")
    monkeypatch.setattr(module, "_measure", lambda *_: pytest.fail("computed again"))
    again = baseline_metrics(data, "test", KS, tmp_path / "cache")
    assert again == first
    assert list(again) == list(first)


def test_another_dataset_split_or_cutoff_is_computed(data, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(module, "_measure", lambda *facts: calls.append(facts) or {})
    other = RankingData(str(two_clusters(tmp_path / "other", digest="sha256:1")))
    for facts in ((data, "test", KS), (data, "validation", KS), (data, "test", [3]), (other, "test", KS)):
        for _ in range(2):
            baseline_metrics(*facts, tmp_path / "cache")
    assert len(calls) == 4


@pytest.mark.parametrize("text", ["", "{", '{"popularity'])
def test_a_damaged_cache_is_made_anew(data, tmp_path, text):
    wanted = baseline_metrics(data, "test", KS, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    file.write_text(text)
    assert baseline_metrics(data, "test", KS, tmp_path / "cache") == wanted
    assert json.loads(file.read_text()) == wanted


def test_a_catalogue_too_large_for_ease_says_so(data, tmp_path, monkeypatch):
    monkeypatch.setattr(ease, "MAX_GAMES", 15)
    found = baseline_metrics(data, "test", KS, tmp_path)
    assert "EASE over 16 games" in found["ease"]
    assert found["popularity"]["ndcg@3"] > 0


def test_no_workers_are_started(tmp_path, data, monkeypatch):
    monkeypatch.setattr("torch.utils.data.DataLoader.__iter__", lambda _: pytest.fail("a loader was started"))
    assert evaluate(lambda history: torch.rand(len(history), data.num_ids), data, "test", KS)


def test_training_games_are_no_split_to_measure(data):
    with pytest.raises(ConfigError, match="split 'train'"):
        evaluate(lambda history: history, data, "train", KS)
