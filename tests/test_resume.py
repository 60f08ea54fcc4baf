"""Going on with a run: `fit --ckpt_path last`."""

import os
import re
import shutil
import signal

import pytest
import torch
import yaml

from memcom_rank.arguments import progress_of
from memcom_rank.callbacks import RunCheckpoint
from tests.command import SMALL, fit, run
from tests.test_cli import columns, summary

BEST = "checkpoints/best.ckpt"
MODEL = "--model.init_args"
ENDS_AFTER = ("--trainer.callbacks+", "tests.tasks.small.StopAfter", "--trainer.callbacks.epochs")  # of a longer run


def weights(ran, file="checkpoints/last.ckpt"):
    return torch.load(ran.folder / file, weights_only=True)["state_dict"]


def contents(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_two_and_two_epochs_equal_four(tiny, tmp_path):
    words = ("--data.batch_size", 64, "--seed_everything", 5)
    whole = fit(tmp_path, tiny, *words, epochs=4)
    first = fit(tmp_path, tiny, *words, *ENDS_AFTER, 2, epochs=4)
    before = contents(first.folder)
    # neither the batch size nor the seed nor the dataset is said again: the checkpoint knows them
    second = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", "last", "--trainer.max_epochs", 4)
    assert second.status == 0, second.err
    for key in ("val/ndcg@10", "val/mrr", "train/loss_epoch"):
        assert columns(first)[key] + columns(second)[key] == columns(whole)[key]
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(second).items())
    assert summary(second)["epochs"] == 4
    assert summary(second)["seed"] == 5
    same = [key for key in summary(whole) if key.startswith(("test.", "best."))]
    assert {key: summary(second)[key] for key in same} == {key: summary(whole)[key] for key in same}
    assert contents(first.folder) == before
    assert first.folder != second.folder


def test_a_run_goes_on_with_its_own_loss_and_negatives(tiny, tmp_path):
    """The loss is no module, and still known to the checkpoint."""
    overlays = ("--config", "loss/gbce.yaml", "--config", "negatives/mixed.yaml", f"{MODEL}.hardest", 20)
    whole = fit(tmp_path, tiny, *overlays, epochs=2)
    first = fit(tmp_path, tiny, *overlays, *ENDS_AFTER, 1, epochs=2)
    second = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", "last", "--trainer.max_epochs", 2)
    assert second.status == 0, second.err
    used = yaml.safe_load((second.folder / "config.yaml").read_text())
    assert used["model"]["init_args"]["loss"] == "memcom_rank.losses.gbce_loss"
    assert (used["model"]["init_args"]["hardest"], used["data"]["in_batch"]) == (20, True)
    assert columns(second)["train/loss_epoch"] == columns(whole)["train/loss_epoch"][1:]
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(second).items())
    flags = ("--trainer.max_epochs", 2, f"{MODEL}.loss", "memcom_rank.losses.bpr_loss")
    other = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", first.folder, *flags)
    assert other.status == 0, other.err
    assert columns(other)["train/loss_epoch"] != columns(second)["train/loss_epoch"]


def changed(fitted, folder, change):
    """A copy of the fitted run's checkpoints, where `change` was made to the state of what kept them."""
    shutil.copytree(fitted.folder / "checkpoints", folder / "checkpoints")
    checkpoint = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    for state in checkpoint["callbacks"].values():
        if "best_model_path" in state:
            change(state)
    torch.save(checkpoint, folder / "checkpoints/last.ckpt")
    return folder


def test_the_best_epoch_is_remembered_and_its_checkpoint_goes_along(fitted, tmp_path):
    def unbeatable(state):
        name = state["best_model_path"].rpartition("/")[2]
        path = state["best_model_path"] = state["kth_best_model_path"] = str(tmp_path / "old/checkpoints" / name)
        if name == "best.ckpt":
            state["best_model_score"] = state["kth_value"] = torch.tensor(0.99)
            state["best_k_models"] = {path: torch.tensor(0.99)}

    old = changed(fitted, tmp_path / "old", unbeatable)
    before = contents(old)
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", old, "--trainer.max_epochs", 3)
    assert ran.status == 0, ran.err
    assert summary(ran)["best.val.ndcg@10"] == pytest.approx(0.99)
    assert summary(ran)["checkpoint"] == str(ran.folder.relative_to(tmp_path) / BEST)
    assert (ran.folder / BEST).read_bytes() == (fitted.folder / BEST).read_bytes()
    assert summary(ran)["test.ndcg@10"] == summary(fitted)["test.ndcg@10"]
    assert " *" not in ran.out
    assert contents(old) == before


def test_a_run_that_was_moved_is_still_known(fitted, tmp_path):
    shutil.copytree(fitted.folder / "checkpoints", tmp_path / "moved/checkpoints")
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", "moved", "--trainer.max_epochs", 3)
    assert ran.status == 0, ran.err
    assert summary(ran)["best.val.ndcg@10"] == max(columns(fitted)["val/ndcg@10"] + columns(ran)["val/ndcg@10"])


def test_a_resume_without_the_best_checkpoints_file_starts_a_new_best(fitted, tmp_path):
    old = changed(fitted, tmp_path / "old", lambda state: state.update(best_model_path=str(tmp_path / "gone.ckpt")))
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", old, "--trainer.max_epochs", 3)
    assert ran.status == 0, ran.err
    assert summary(ran)["best.val.ndcg@10"] == columns(ran)["val/ndcg@10"][-1]
    assert " *" in ran.out


def test_flags_beat_what_the_run_began_with(fitted, tmp_path):
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", fitted.folder, "--trainer.max_epochs", 3,
              "--data.batch_size", 100, "--seed_everything", 9)  # fmt: skip
    assert ran.status == 0, ran.err
    assert summary(ran)["seed"] == 9
    assert yaml.safe_load((ran.folder / "config.yaml").read_text())["data"]["batch_size"] == 100


def test_a_checkpoint_knows_how_far_it_came_inside_its_epochs_validation_too(fitted):
    best, last = (progress_of(fitted.folder / "checkpoints" / name) for name in ("best.ckpt", "last.ckpt"))
    assert last.epochs == 2
    assert best.epochs * last.steps == last.epochs * best.steps
    assert not last.stopped


class Died(BaseException):
    """Stands for a machine that is taken away."""


def test_a_fit_that_dies_leaves_what_it_had_and_can_go_on(tiny, tmp_path, monkeypatch):
    (tmp_path / "whole").mkdir()
    whole = fit(tmp_path / "whole", tiny, epochs=3)
    save = RunCheckpoint.on_validation_end

    def die(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            raise Died
        save(self, trainer, pl_module)

    with monkeypatch.context() as dying:
        dying.setattr(RunCheckpoint, "on_validation_end", die)
        with pytest.raises(Died):
            fit(tmp_path, tiny, epochs=3)
    (dead,) = (tmp_path / "runs").glob("2*")
    assert sorted(os.listdir(dead / "checkpoints")) == ["best.ckpt", "last.ckpt"]
    assert not (dead / "summary.json").exists()
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", dead, "--trainer.max_epochs", 3)
    assert ran.status == 0, ran.err
    assert summary(ran)["test.ndcg@10"] == summary(whole)["test.ndcg@10"]


def test_a_fit_that_is_asked_to_end_fails_and_says_how_to_go_on(tiny, tmp_path, monkeypatch):
    """As a preempted job is, by SIGTERM: whatever comes after `fit &&` needs what it has not made."""
    (tmp_path / "whole").mkdir()
    whole = fit(tmp_path / "whole", tiny, epochs=3)

    def ask(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            signal.raise_signal(signal.SIGTERM)

    words = ("fit", "--config", "ranknet.yaml", *SMALL, "--data.path", tiny, "--trainer.max_epochs", 3)
    with monkeypatch.context() as preempted:
        preempted.setattr(RunCheckpoint, "on_train_epoch_start", ask)
        ended = run(tmp_path, *words)
    assert ended.status == 128 + signal.SIGTERM
    way = re.search(r"stopped by SIGTERM; the same command with --ckpt_path (\S+) goes on", ended.err)[1]
    assert way == str(ended.folder.relative_to(tmp_path))
    assert not (ended.folder / "summary.json").exists()
    ran = run(tmp_path, *words, "--ckpt_path", way)
    assert ran.status == 0, ran.err
    assert summary(ran)["test.ndcg@10"] == summary(whole)["test.ndcg@10"]


@pytest.mark.parametrize(("file", "epochs_kept"), [("last.ckpt", 3), ("best.ckpt", 2)])
def test_a_fit_that_is_rarely_validated_loses_no_epoch_either(tiny, tmp_path, monkeypatch, file, epochs_kept):
    """The best checkpoint is written inside its epoch, after validation: a resume has nothing left of it to train."""
    words = ("--trainer.check_val_every_n_epoch", 2)
    (tmp_path / "whole").mkdir()
    whole = fit(tmp_path / "whole", tiny, *words, epochs=4)

    def die(self, trainer, pl_module):
        if trainer.current_epoch == 3:
            raise Died

    with monkeypatch.context() as dying:
        dying.setattr(RunCheckpoint, "on_train_epoch_start", die)
        with pytest.raises(Died):
            fit(tmp_path, tiny, *words, epochs=4)
    (dead,) = (tmp_path / "runs").glob("2*")
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", *words, "--trainer.max_epochs", 4,
              "--ckpt_path", dead / "checkpoints" / file)  # fmt: skip
    assert ran.status == 0, ran.err
    assert [line.split()[1] for line in ran.out.splitlines() if line.startswith("epoch ")] == [
        f"{epoch}/4" for epoch in range(epochs_kept + 1, 5)
    ]
    assert columns(ran)["train/loss_epoch"] == columns(whole)["train/loss_epoch"][epochs_kept:]
    assert summary(ran)["test.ndcg@10"] == summary(whole)["test.ndcg@10"]
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(ran).items())


STOPS_EARLY = ("--trainer.callbacks+", "pytorch_lightning.callbacks.EarlyStopping", "--trainer.callbacks.patience", 2,
               "--trainer.callbacks.monitor", "val/mrr")  # fmt: skip
STEPS = ("--trainer.max_epochs", -1, "--trainer.max_steps", 12, "--data.batch_size", 64)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--trainer.max_epochs", 3],
            "all 3 epochs are trained, the best is tested; to train on: --trainer.max_epochs 6",
        ),
        (STEPS, "all 12 steps are trained, the best is tested; to train on: --trainer.max_steps 24"),
        (
            ["--trainer.max_epochs", 9, f"{MODEL}.learning_rate", 0, *STOPS_EARLY],
            "early stopping ended it after 3 epochs",
        ),
    ],
    ids=["epochs", "steps", "stopped early"],
)
def test_a_fit_that_dies_in_its_test_makes_up_for_the_test_alone(tiny, tmp_path, monkeypatch, words, said):
    (tmp_path / "whole").mkdir()
    whole = fit(tmp_path / "whole", tiny, *words)

    def die(*_):
        raise Died

    with monkeypatch.context() as dying:
        dying.setattr(RunCheckpoint, "on_test_start", die)
        with pytest.raises(Died):
            fit(tmp_path, tiny, *words)
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", "last", *words)
    assert ran.status == 0, ran.err
    assert said in ran.out
    assert not [line for line in ran.out.splitlines() if line.startswith("epoch ")]
    same = [key for key in summary(whole) if key.startswith(("test.", "best.", "epochs"))]
    assert {key: summary(ran)[key] for key in same} == {key: summary(whole)[key] for key in same}
    assert sorted(os.listdir(ran.folder / "checkpoints")) == ["best.ckpt", "last.ckpt"]
