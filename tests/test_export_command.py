"""The command export: a small run becomes a bundle that ranks as its checkpoint does, or a named error."""

import json
import shutil
import sys

import pytest
import torch

from memcom_rank.__main__ import main
from memcom_rank.data import RankingData
from memcom_rank.export import limits
from memcom_rank.runtime import Ranker


def export(*words):
    return main(["export", *map(str, words)])


@pytest.fixture(scope="module")
def bundle(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "bundle"
    assert export("--ckpt_path", fitted.folder, "--output", folder, "--bits", "32", "--k", "12") == 0
    return folder


@pytest.mark.slow
def test_a_bundle_ranks_as_its_checkpoint_and_says_what_it_is(bundle, fitted, tiny):
    manifest = json.loads((bundle / "manifest.json").read_text())
    summary = json.loads((fitted.folder / "summary.json").read_text())
    data = RankingData(str(tiny))
    assert manifest["metrics"]["ndcg@10"] == pytest.approx(summary["test.ndcg@10"], abs=1e-6)
    assert manifest["dataset"]["digest"] == data.dataset.manifest.digest
    assert (manifest["technique"], manifest["k"]) == (summary["embedding.technique"], 12)
    sizes = manifest["bytes"]
    assert sizes["embedding"] == summary["embedding.bytes"]
    assert sizes["total"] == sum(manifest["files"][name]["bytes"] for name in manifest["files"])
    assert manifest["full_model_bytes"] == summary["model.full_bytes"]
    games = data.dataset.games().sort_by("id")
    ranker = Ranker.load(bundle)
    assert [game.title for game in ranker.games] == games["title"].to_pylist()
    assert len(ranker.rank([ranker.games[0].id, ranker.games[3].id])) == 10


@pytest.mark.slow
def test_without_a_dataset_nothing_is_measured_and_games_are_numbers(fitted, tmp_path, capsys):
    run = without_a_dataset(fitted, tmp_path, lambda checkpoint: checkpoint.pop("loops"))  # weights alone
    assert export("--ckpt_path", run, "--output", tmp_path / "b", "--bits", "16") == 0
    assert "not measured" in capsys.readouterr().out
    ranker = Ranker.load(tmp_path / "b")
    assert ranker.manifest.metrics == "not measured"
    assert ranker.games[0].id == "2"
    assert ranker.manifest.trained["epochs"] is None


def without_a_dataset(fitted, folder, change):
    """A copy of the fitted run whose dataset is gone, its best checkpoint changed."""
    run = folder / "run"
    shutil.copytree(fitted.folder, run, ignore=shutil.ignore_patterns("wandb"))
    path = run / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["datamodule_hyper_parameters"]["path"] = str(folder / "gone")
    change(checkpoint)
    torch.save(checkpoint, path)
    return run


def test_a_diverged_model_is_named_as_one(fitted, tmp_path, capsys):
    def diverge(checkpoint):
        next(iter(checkpoint["state_dict"].values())).fill_(float("nan"))

    run = without_a_dataset(fitted, tmp_path, diverge)
    assert export("--ckpt_path", run, "--output", tmp_path / "b") == 1
    assert "it has diverged" in capsys.readouterr().err


@pytest.mark.slow
def test_a_dataset_may_be_the_folder_one_is_in(fitted, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny)
    assert export("--ckpt_path", fitted.folder, "--output", tmp_path / "b", "--data.path", ".") == 0
    assert Ranker.load(tmp_path / "b").manifest.dataset["name"] == tiny.name


@pytest.mark.slow
def test_a_dataset_whose_folder_has_a_name_of_odd_letters(fitted, tiny, tmp_path):
    odd = tmp_path / "games\u3000of\u00a02026"
    shutil.copytree(tiny, odd)
    assert export("--ckpt_path", fitted.folder, "--output", tmp_path / "b", "--data.path", odd) == 0
    assert json.loads((tmp_path / "b/manifest.json").read_text())["dataset"]["name"] == "games of 2026"


@pytest.mark.slow
def test_what_is_beyond_its_limits_is_not_written(fitted, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(limits.LIMITS, 2, limits.Limits(score=0.0, overlap=1.0))
    assert export("--ckpt_path", fitted.folder, "--output", tmp_path / "b", "--bits", "2") == 1
    assert "at 2 bits scores differ" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_so_few_games_that_its_metrics_could_not_be_measured_are_refused(fitted, tmp_path, capsys):
    assert export("--ckpt_path", fitted.folder, "--output", tmp_path / "few", "--k", "9") == 1
    assert "--k is 9" in capsys.readouterr().err
    assert not (tmp_path / "few").exists()


def test_what_is_there_is_not_overwritten(fitted, tmp_path, capsys):
    (tmp_path / "link").symlink_to("nowhere")
    for taken in (tmp_path, tmp_path / "link"):
        assert export("--ckpt_path", fitted.folder, "--output", taken) == 1
        assert "already exists" in capsys.readouterr().err


def test_no_checkpoint_and_a_damaged_one(tmp_path, capsys):
    assert export("--ckpt_path", tmp_path / "none", "--output", tmp_path / "b") == 1
    assert "no checkpoint" in capsys.readouterr().err
    (tmp_path / "bad.ckpt").write_bytes(b"no checkpoint at all")
    assert export("--ckpt_path", tmp_path / "bad.ckpt", "--output", tmp_path / "b") == 1
    assert "not a checkpoint" in capsys.readouterr().err


def test_a_checkpoint_of_another_version_or_another_dataset(fitted, tmp_path, capsys):
    checkpoint = torch.load(fitted.folder / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save({**checkpoint, "dataset_digest": "sha256:0"}, tmp_path / "other.ckpt")
    assert export("--ckpt_path", tmp_path / "other.ckpt", "--output", tmp_path / "b") == 1
    assert "was trained on the dataset sha256:0" in capsys.readouterr().err
    torch.save({**checkpoint, "state_dict": {}}, tmp_path / "old.ckpt")
    assert export("--ckpt_path", tmp_path / "old.ckpt", "--output", tmp_path / "b") == 1
    assert "does not fit this version" in capsys.readouterr().err
    torch.save({**checkpoint, "hyper_parameters": {"_class_path": "memcom_rank.tasks.Gone"}}, tmp_path / "older.ckpt")
    assert export("--ckpt_path", tmp_path / "older.ckpt", "--output", tmp_path / "b") == 1
    assert "does not fit this version" in capsys.readouterr().err


def test_without_its_packages_it_says_what_to_install(fitted, tmp_path, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "memcom_rank.export_command", raising=False)
    monkeypatch.setitem(sys.modules, "memcom_rank.export.card", None)
    assert export("--ckpt_path", fitted.folder, "--output", tmp_path / "b") == 1
    assert "pip install -e '.[export]'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--bits", "3"], ["--k", "0"], ["--format", "zip"]])
def test_argparse_refuses_what_there_is_not(words, tmp_path):
    with pytest.raises(SystemExit):
        export("--ckpt_path", tmp_path, "--output", tmp_path / "b", *words)


def test_a_file_where_the_folder_should_be_is_named_before_anything_is_measured(fitted, tmp_path, capsys):
    (tmp_path / "notes").write_text("mine")
    assert export("--ckpt_path", fitted.folder, "--output", tmp_path / "notes" / "deep" / "bundle") == 1
    assert f"'{tmp_path / 'notes'}' is a file" in capsys.readouterr().err
    assert (tmp_path / "notes").read_text() == "mine"
