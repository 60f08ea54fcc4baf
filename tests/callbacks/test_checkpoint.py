"""RunCheckpoint on its own; tests/test_resume.py resumes whole runs with it."""

import errno
import os
import pickle
import resource
import signal
import types

import pytest
import torch

from memcom_rank.callbacks import RunCheckpoint, WholeCheckpoints
from memcom_rank.callbacks.checkpoint import best_score
from memcom_rank.contract.errors import WriteError


@pytest.fixture
def old(tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    for name in ("a.ckpt", "b.ckpt", "last.ckpt"):
        (folder / name).write_text(name)
    return folder


def trainer(loaded, rank=0):
    return types.SimpleNamespace(ckpt_path=str(loaded), is_global_zero=rank == 0)


def state(folder):
    a, b = str(folder / "a.ckpt"), str(folder / "b.ckpt")
    scores = {a: torch.tensor(0.2), b: torch.tensor(0.1)}
    return {
        "monitor": "val", "dirpath": str(folder), "best_model_score": scores[a], "current_score": scores[b],
        "best_model_path": a, "kth_best_model_path": b, "kth_value": scores[b], "best_k_models": scores,
        "last_model_path": "",
    }  # fmt: skip


def resumed(loaded, kept, new, rank=0):
    made = RunCheckpoint(dirpath=new, monitor="val", mode="max", save_top_k=2)
    made.on_load_checkpoint(trainer(loaded), None, {})
    made.load_state_dict(kept)
    made.on_train_start(trainer(loaded, rank), None)
    return made


def test_the_checkpoints_come_along(old, tmp_path):
    made = resumed(old / "last.ckpt", state(old), tmp_path / "new")
    new = tmp_path / "new"
    assert (new / "a.ckpt").read_text() == "a.ckpt"
    assert made.best_model_path == str(new / "a.ckpt")
    assert made.kth_best_model_path == str(new / "b.ckpt")
    assert {path: float(score) for path, score in made.best_k_models.items()} == {
        str(new / "a.ckpt"): pytest.approx(0.2),
        str(new / "b.ckpt"): pytest.approx(0.1),
    }
    assert sorted(path.name for path in new.iterdir()) == ["a.ckpt", "b.ckpt"]
    assert sorted(path.name for path in old.iterdir()) == ["a.ckpt", "b.ckpt", "last.ckpt"]


def test_only_rank_0_copies(old, tmp_path):
    made = resumed(old / "last.ckpt", state(old), tmp_path / "new", rank=1)
    assert made.best_model_path == str(tmp_path / "new/a.ckpt")
    assert not (tmp_path / "new").exists()


def test_a_moved_run_is_found_beside_the_checkpoint_that_is_loaded(old, tmp_path):
    kept = state(old)
    old.rename(tmp_path / "moved")
    made = resumed(tmp_path / "moved/last.ckpt", kept, tmp_path / "new")
    assert (tmp_path / "new/a.ckpt").read_text() == "a.ckpt"
    assert float(made.best_model_score) == pytest.approx(0.2)


def test_what_is_gone_is_forgotten(old, tmp_path):
    (old / "a.ckpt").unlink()
    made = resumed(old / "last.ckpt", state(old), tmp_path / "new")
    assert (made.best_model_path, made.best_model_score, made.best_k_models) == ("", None, {})


def test_the_best_score_is_that_of_the_monitored_checkpoint(old, tmp_path):
    plain = RunCheckpoint(dirpath=tmp_path)
    watched = resumed(old / "last.ckpt", state(old), tmp_path / "new")
    assert best_score(types.SimpleNamespace(checkpoint_callbacks=[plain, watched])) == pytest.approx(0.2)
    assert best_score(types.SimpleNamespace(checkpoint_callbacks=[plain])) is None


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"epoch": 1}, path)

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="No space left"):
        WholeCheckpoints().save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_disk_that_is_full_in_the_middle_of_a_checkpoint(tmp_path):
    """torch makes an error of its own of it."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(WriteError, match="File too large"):
            WholeCheckpoints().save_checkpoint({"weights": torch.zeros(100_000)}, tmp_path / "last.ckpt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert not list(tmp_path.iterdir())


def test_another_error_of_torch_stays_what_it_is(tmp_path):
    with pytest.raises((RuntimeError, AttributeError, pickle.PicklingError)):
        WholeCheckpoints().save_checkpoint({"code": lambda: None}, tmp_path / "last.ckpt")


def test_runs_write_with_it(fitted):
    checkpoint = torch.load(fitted.folder / "checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] > 0
    assert (fitted.folder / "checkpoints/last.ckpt").read_bytes()[:60].count(b"archive") == 1  # the name torch gives
