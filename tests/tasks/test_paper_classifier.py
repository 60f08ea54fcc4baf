import pytest
import torch
from torch.nn import functional

from memcom_rank.contract.errors import ConfigError
from memcom_rank.tasks import PaperClassifier
from tests.tasks.small import data, fitted, task, trainer
from tests.tasks.test_classifier import BATCH


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_learns_which_games_go_together(folder, precision):
    made = fitted(folder, model=task(kind=PaperClassifier), precision=precision, max_epochs=25)
    assert made.callback_metrics["val/ndcg@3"] > 0.7
    (found,) = made.test(made.lightning_module, made.datamodule, verbose=False)
    assert found["test/ndcg@3"] > 0.9
    untrained = trainer().validate(task(kind=PaperClassifier), data(folder), verbose=False)[0]
    assert untrained["val/ndcg@3"] < 0.6


def test_the_loss_is_plain_cross_entropy_of_each_hidden_game():
    model = task(kind=PaperClassifier, dropout=0.0)
    scores, losses = model(BATCH.history).double(), []
    for b, games in enumerate([[4, 6], [7], []]):
        rest = [game for game in range(2, 18) if game not in BATCH.owned[b].tolist()]
        losses += [functional.cross_entropy(scores[b, [game, *rest]], torch.tensor(0)).item() for game in games]
    assert model.training_step(BATCH, 0).item() == pytest.approx(sum(losses) / 3, rel=1e-5)


def test_a_step_without_hidden_games_changes_no_weight():
    model = task(kind=PaperClassifier)
    loss = model.training_step(BATCH._replace(held=torch.zeros_like(BATCH.held)), 0)
    loss.backward()
    assert loss.item() == 0.0
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in model.parameters())


def test_one_user_at_a_time_is_refused(folder):
    with pytest.raises(ConfigError, match=r"data\.batch_size is 1"):
        fitted(folder, model=task(kind=PaperClassifier), loaders={"batch_size": 1})


def test_batch_statistics_are_sent_once_a_validation_and_not_by_ddp(folder, monkeypatch):
    """DDP sends at every step; processes that differ in their number of validation steps would wait forever."""
    made = fitted(folder, model=task(kind=PaperClassifier), max_epochs=1)
    model, sent = made.lightning_module, []

    def broadcast(buffer):
        sent.append(buffer)
        return torch.full_like(buffer, 3)

    monkeypatch.setattr(made.strategy, "broadcast", broadcast)
    model.on_validation_start()
    buffers = dict(model.ranker.named_buffers(prefix="ranker"))
    assert len(sent) == len(buffers) == 7  # two layers, three each, and the embedding's type and device
    assert all((buffer == 3).all() for buffer in buffers.values())
    assert set(model._ddp_params_and_buffers_to_ignore) == set(buffers)
