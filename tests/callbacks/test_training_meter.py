import types

import pytest
import torch

from memcom_rank.callbacks import TrainingMeter, training_meter


class Clock:
    """A clock that stands still between events."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(training_meter.time, "perf_counter", lambda: self.now)


class Module:
    """Keeps what is logged."""

    def __init__(self):
        self.logged = {}

    def log(self, key, value, **options):
        self.logged[key] = (float(value), options)


TRAINER = types.SimpleNamespace(accumulate_grad_batches=1)


def batch(rows):
    return types.SimpleNamespace(examples=torch.tensor(2 * rows))


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def epoch(meter, clock, losses, *, validation=0.0):
    """An epoch of steps of 1 second with 4 rows each, and a validation that lasts."""
    module = Module()
    meter.on_train_epoch_start(None, module)
    for index, loss in enumerate(losses):
        clock.now += 1
        meter.on_train_batch_end(TRAINER, module, {"loss": torch.tensor(loss)}, batch(2), index)
    meter.on_validation_start(None, module)
    clock.now += validation
    meter.on_validation_end(None, module)
    meter.on_train_epoch_end(None, module)
    return module.logged


def test_validation_takes_no_time(clock):
    assert epoch(TrainingMeter(), clock, [1.0, 2.0], validation=7.0)["train/rows_per_second"][0] == 4.0


def test_every_epoch_stands_for_itself(clock):
    meter = TrainingMeter()
    assert epoch(meter, clock, [1.0, 2.0])["train/loss_epoch"][0] == 1.5
    assert epoch(meter, clock, [4.0])["train/loss_epoch"][0] == 4.0


def test_ranks_add_their_rows_and_share_their_loss(clock):
    logged = epoch(TrainingMeter(), clock, [1.0])
    assert logged["train/rows_per_second"][1] == {"reduce_fx": "sum", "sync_dist": True}
    assert logged["train/loss_epoch"][1] == {"sync_dist": True}


def test_validation_outside_training_counts_nothing(clock):
    meter, module = TrainingMeter(), Module()
    meter.on_validation_start(None, module)  # the sanity check
    clock.now += 5
    meter.on_validation_end(None, module)
    assert epoch(meter, clock, [1.0])["train/rows_per_second"][0] == 4.0


def test_the_loss_is_that_of_a_batch_however_many_make_a_step(clock):
    """Lightning divides the loss of each batch by their number."""
    meter, module = TrainingMeter(), Module()
    meter.on_train_epoch_start(None, module)
    four = types.SimpleNamespace(accumulate_grad_batches=4)
    meter.on_train_batch_end(four, module, {"loss": torch.tensor(0.5)}, batch(2), 0)
    clock.now += 1
    meter.on_train_epoch_end(None, module)
    assert module.logged["train/loss_epoch"][0] == 2.0
