"""A run killed anywhere and taken up again equals an uninterrupted one, bit for bit."""

import pytest
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint

from memcom_rank.losses import sampled_softmax_loss
from memcom_rank.tasks import Classifier, PaperClassifier, RankNet
from tests.tasks.small import StopAfter, fitted, task, weights


def assert_same(first, second):
    assert first.callback_metrics.keys() == second.callback_metrics.keys()
    for key, value in first.callback_metrics.items():
        assert torch.equal(value, second.callback_metrics[key]), key
    for name, value in weights(first).items():
        assert torch.equal(value, weights(second)[name]), name
    states = [made.optimizers[0].state_dict()["state"] for made in (first, second)]
    for state in zip(*(state.values() for state in states), strict=True):
        assert all(torch.equal(state[0][key], state[1][key]) for key in state[0])


def test_two_runs_are_equal_bit_for_bit(folder):
    first = fitted(folder)
    torch.rand(5)  # whatever else draws
    assert_same(first, fitted(folder))
    other = fitted(folder, loaders={"seed": 1})
    assert not torch.equal(first.callback_metrics["train/loss"], other.callback_metrics["train/loss"])


class Stop(Exception):  # noqa: N818
    pass


class Kill(Callback):
    """Dies in the middle of a run, like a machine that is taken away."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            raise Stop


@pytest.mark.parametrize("kind", [RankNet, Classifier, PaperClassifier])
def test_two_and_two_epochs_equal_four(folder, tmp_path, kind):
    whole = fitted(folder, model=task(kind=kind), max_epochs=4)
    half = fitted(folder, model=task(kind=kind), max_epochs=4, callbacks=[StopAfter(epochs=2)])
    half.save_checkpoint(tmp_path / "half.ckpt")
    assert_same(fitted(folder, model=task(kind=kind), max_epochs=4, resume=tmp_path / "half.ckpt"), whole)


@pytest.mark.parametrize(
    "negatives",
    [
        {"num_negatives": 8, "negative_power": 0.75},
        {"num_negatives": 0, "in_batch": True},
        {"num_negatives": 4, "in_batch": True},
    ],
)
def test_two_and_two_epochs_equal_four_with_any_negatives(folder, tmp_path, negatives):
    def made(**options):
        model = task(loss=sampled_softmax_loss, hardest=3)
        return fitted(folder, model=model, loaders=negatives, max_epochs=4, **options)

    made(callbacks=[StopAfter(epochs=2)]).save_checkpoint(tmp_path / "half.ckpt")
    assert_same(made(resume=tmp_path / "half.ckpt"), made())


def test_an_epochs_own_checkpoint_resumes_exactly(folder, tmp_path):
    whole = fitted(folder, max_epochs=4)
    saving = ModelCheckpoint(dirpath=tmp_path / "saved", filename="{epoch}", save_top_k=-1)
    fitted(folder, max_epochs=4, enable_checkpointing=True, callbacks=[saving, StopAfter(epochs=2)])
    assert_same(fitted(folder, max_epochs=4, resume=saving.best_model_path), whole)


def test_a_longer_run_goes_on_at_its_own_learning_rate(folder, tmp_path):
    short = fitted(folder, max_epochs=2)
    assert short.optimizers[0].param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)
    short.save_checkpoint(tmp_path / "short.ckpt")
    longer = fitted(folder, max_epochs=4, resume=tmp_path / "short.ckpt", callbacks=[StopAfter(epochs=3)])
    rates = [fitted(folder, max_epochs=4, callbacks=[StopAfter(epochs=n)]).optimizers[0] for n in (2, 3)]
    half, later = (made.param_groups[0]["lr"] for made in rates)
    assert half == pytest.approx(longer.lightning_module.learning_rate / 2)
    assert longer.optimizers[0].param_groups[0]["lr"] == pytest.approx(later)
    assert 0 < later < half


@pytest.mark.parametrize("step", range(1, 9))
def test_a_killed_run_resumed_equals_an_uninterrupted_one(folder, tmp_path, step):
    """3 steps an epoch: checkpoints inside, at the end of and at the start of an epoch."""
    whole = fitted(folder, max_epochs=3)
    saving = ModelCheckpoint(dirpath=tmp_path / "saved", filename="{step}", every_n_train_steps=step, save_top_k=-1)
    with pytest.raises(Stop):
        fitted(folder, max_epochs=3, enable_checkpointing=True, callbacks=[saving, Kill(step)])
    resumed = fitted(folder, max_epochs=3, resume=tmp_path / "saved" / f"step={step}.ckpt")
    assert resumed.global_step == whole.global_step == 9
    assert_same(resumed, whole)


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 3])
def test_workers_change_nothing_in_a_resumed_run(folder, tmp_path, step):
    whole = fitted(folder, max_epochs=2)
    saving = ModelCheckpoint(dirpath=tmp_path / "saved", filename="{step}", every_n_train_steps=step, save_top_k=-1)
    dying = {"callbacks": [saving, Kill(step + 1)], "max_epochs": 2, "enable_checkpointing": True}
    with pytest.raises(Stop):
        fitted(folder, loaders={"num_workers": 1}, **dying)
    resumed = fitted(folder, max_epochs=2, resume=tmp_path / "saved" / f"step={step}.ckpt", loaders={"num_workers": 1})
    assert_same(resumed, whole)
