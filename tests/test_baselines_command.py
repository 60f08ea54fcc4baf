import contextlib
import json
import sys

import pyarrow.parquet as pq
import pytest
import torch

from memcom_rank import baselines_command
from memcom_rank.__main__ import main
from memcom_rank.baselines import CONTENDERS, Ease, ItemKnn, ease
from memcom_rank.baselines_command import tuning_users
from memcom_rank.callbacks.baseline_metrics import baseline_metrics, evaluate
from memcom_rank.data import RankingData
from memcom_rank.data.dataset import Queries
from memcom_rank.data.ragged import Ragged
from tests.data.tiny import two_clusters, write_tables

SMALL = {"regularization": (0.01, 1.0), "alpha": (3.0, 10.0), "factors": (4,), "iterations": (30,)}


@pytest.fixture
def small(monkeypatch):
    """Grids of seconds, not minutes."""
    for name in ("ials", "bpr"):
        grid = {knob: SMALL[knob] for knob in CONTENDERS[name].grid}
        start = {knob: choices[0] for knob, choices in grid.items()}
        monkeypatch.setitem(CONTENDERS, name, CONTENDERS[name]._replace(grid=grid, start=start))


def baselines(cwd, *words):
    """Run the command in the folder `cwd`; return the exit status and the folder it made, if any."""
    with contextlib.chdir(cwd):
        status = main(["baselines", *map(str, words)])
    (folder,) = [*cwd.glob("runs/*-baselines*")] or [None]
    return status, folder


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.slow
def test_all_baselines_end_to_end(tiny, tmp_path, small, capsys):
    status, folder = baselines(tmp_path, "--data.path", tiny)
    out = capsys.readouterr().out
    assert status == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(CONTENDERS)
    data = RankingData(str(tiny))
    for name in CONTENDERS:
        summary, users = summary_of(folder / name), pq.read_table(folder / name / "users_test.parquet")
        assert summary["baseline"] == name
        assert summary["dataset.digest"] == data.dataset.manifest.digest
        tested = data.dataset.user_ids().take(data.dataset.queries("test").rows.numpy())
        assert users["user"].to_pylist() == tested.to_pylist()
        for metric in ("ndcg@10", "ndcg@20", "ndcg", "recall@10", "mrr"):
            mean = sum(users[metric].to_pylist()) / users.num_rows
            assert summary[f"test.{metric}"] == pytest.approx(mean, abs=1e-12)
            assert summary[f"test.{metric}.low"] < mean < summary[f"test.{metric}.high"]
        slices = sum(summary[f"test.slices.{part}.users"] for part in ("head", "middle", "tail", "unknown"))
        assert slices == users.num_rows
        assert set(CONTENDERS[name].grid) == {key[6:] for key in summary if key.startswith("knobs.")}
        assert f"{name:<12}{summary['val.ndcg@10']:>12.4f}{summary['test.ndcg@10']:>12.4f}" in out
    known = baseline_metrics(data, "test", [10, 20, None], tmp_path / "cache")  # what every training run shows
    for name in ("popularity", "ease"):
        assert {key: summary_of(folder / name)[f"test.{key}"] for key in known[name] if key != "ridge"} == {
            key: value for key, value in known[name].items() if key != "ridge"
        }
    assert main(["diff", str(folder / "popularity"), str(folder / "item_knn"), "--metric", "ndcg@10"]) == 0
    assert "item_knn, seed 0" in capsys.readouterr().out


@pytest.mark.slow
def test_a_baseline_against_a_trained_run(tiny, fitted, tmp_path, capsys):
    _, folder = baselines(tmp_path, "--data.path", tiny, "--only", "popularity")
    assert main(["diff", str(folder / "popularity"), str(fitted.folder)]) == 0
    out = capsys.readouterr().out
    assert "graded_ndcg@10" in out
    assert "popularity, seed 0" in out


def test_knobs_are_picked_on_validation_and_tested_with_validation_games_known(tmp_path):
    data = RankingData(str(two_clusters(tmp_path / "clusters")))
    status, folder = baselines(tmp_path, "--data.path", data.path, "--only", "item_knn", "--metric", "mrr")
    assert status == 0
    summary = summary_of(folder / "item_knn")
    facts = (*data.dataset.interactions(), data.dataset.manifest.num_users, data.num_ids)
    model = ItemKnn(summary["knobs.weighting"], summary["knobs.neighbours"]).fit(*facts)
    again = {split: evaluate(model.score, data, split, [10, 20, None]) for split in ("validation", "test")}
    assert summary["tuned.by"] == "mrr"
    assert summary["tuned.value"] == summary["val.mrr"] == again["validation"]["mrr"]
    assert summary["test.mrr"] == again["test"]["mrr"]
    lengths = pq.read_table(folder / "item_knn" / "users_test.parquet")["history_length"]
    assert set(lengths.to_pylist()) == {7}  # 6 of training, 1 of validation
    grid = CONTENDERS["item_knn"].grid
    for neighbours in grid["neighbours"]:  # of the first sweep none is better
        value = evaluate(ItemKnn("tfidf", neighbours).fit(*facts).score, data, "validation", [None])["mrr"]
        assert value <= summary["tuned.value"]


def test_the_same_command_gives_the_same_numbers_in_a_new_folder(tmp_path, small, capsys):
    dataset = two_clusters(tmp_path / "clusters")
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
    users = []
    for place in ("a", "b"):
        _, folder = baselines(tmp_path / place, "--data.path", dataset, "--only", "ials", "bpr", "ials")
        users.append([pq.read_table(folder / name / "users_test.parquet") for name in ("ials", "bpr")])
    assert users[0] == users[1]
    with contextlib.chdir(tmp_path / "a"):
        assert main(["baselines", "--data.path", str(dataset), "--only", "popularity"]) == 0
    assert len([*tmp_path.glob("a/runs/*-baselines*")]) == 2


def test_without_implicit_the_others_run_and_it_says_so(tmp_path, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.split(".")[0] == "implicit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "implicit", None)
    dataset = two_clusters(tmp_path / "clusters")
    status, folder = baselines(tmp_path, "--data.path", dataset)
    out = capsys.readouterr().out
    assert status == 0
    assert sorted(path.name for path in folder.iterdir()) == ["ease", "popularity"]
    for name in ("item_knn", "ials", "bpr"):
        assert f"{name:<12}skipped: the package 'implicit'" in out
    assert "pip install -e '.[baselines]'" in out
    (tmp_path / "other").mkdir()
    status, folder = baselines(tmp_path / "other", "--data.path", dataset, "--only", "ials")
    assert (status, folder) == (1, None)  # asked for by name: an error, and no empty folder
    assert "pip install -e '.[baselines]'" in capsys.readouterr().err


def test_a_catalogue_too_large_for_ease_is_skipped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ease, "MAX_GAMES", 15)
    monkeypatch.setattr(baselines_command, "CONTENDERS", {name: CONTENDERS[name] for name in ("popularity", "ease")})
    status, folder = baselines(tmp_path, "--data.path", two_clusters(tmp_path / "clusters"))
    assert status == 0
    assert [path.name for path in folder.iterdir()] == ["popularity"]
    assert "ease        skipped: EASE over 16 games needs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], "no dataset at 'data/synthetic'"),
        (["--data.path", "nowhere"], "no dataset at 'nowhere'"),
        (["--data.path", "clusters", "--metric", "ndcg@x"], "--metric ndcg@x"),
        (["--data.path", "clusters", "--metric", "coverage@10"], "--metric coverage@10"),
        (["--data.path", "clusters", "--metric", "ndcg@0"], "--metric ndcg@0"),
        (["--data.path", "untested"], "no user in its split test"),
    ],
)
def test_wrong_input_is_a_named_error_and_leaves_no_folder(tmp_path, words, wanted, capsys):
    two_clusters(tmp_path / "clusters")
    write_tables(tmp_path / "untested", histories=[[2, 3]], validation={0: [4]}, num_games=3)
    assert baselines(tmp_path, *words) == (1, None)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert wanted in err


def test_labels_are_no_games_to_find(labelled, tmp_path, capsys):
    assert baselines(tmp_path, "--data.path", labelled) == (1, None)
    assert "is a dataset of labels" in capsys.readouterr().err


def test_a_draw_of_users_keeps_theirs_together():
    def lists(first):
        return Ragged(torch.arange(101), torch.arange(first, first + 100))

    queries = Queries(torch.arange(100) * 3, lists(0), lists(1000), lists(2000))
    assert tuning_users(queries, 100) is queries
    drawn = tuning_users(queries, 10)
    places = drawn.rows // 3
    assert len(set(places.tolist())) == 10
    for found, first in zip(drawn[1:], (0, 1000, 2000), strict=True):
        assert torch.equal(found.values, places + first)
    assert torch.equal(tuning_users(queries, 10).rows, drawn.rows)


def test_ease_of_the_search_is_ease(tmp_path):
    data = RankingData(str(two_clusters(tmp_path / "clusters")))
    _, folder = baselines(tmp_path, "--data.path", data.path, "--only", "ease")
    summary = summary_of(folder / "ease")
    facts = (*data.dataset.interactions(), data.dataset.manifest.num_users, data.num_ids)
    again = evaluate(Ease(summary["knobs.ridge"]).fit(*facts).score, data, "test", [10])
    assert summary["test.ndcg@10"] == again["ndcg@10"]
