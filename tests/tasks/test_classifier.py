import math

import pytest
import torch
from torch.nn import functional

from memcom_rank.contract.errors import ConfigError
from memcom_rank.data import TrainBatch
from memcom_rank.models import LogSumExpMatch, PoolMatch
from memcom_rank.tasks import Classifier, PaperClassifier
from tests.data.tiny import write_tables
from tests.tasks.small import NO_SAMPLES, data, fitted, task, trainer, weights

MATCHES = pytest.mark.parametrize(
    "match", [lambda: PoolMatch(), lambda: LogSumExpMatch(match_dim=4)], ids=["pool", "lse"]
)
NOBODY, NOTHING = torch.zeros(3, 0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
BATCH = TrainBatch(
    seed=3,
    history=torch.tensor([[2, 3, 1], [5, 0, 0], [0, 0, 0]]),
    held=torch.tensor([[4, 6, 0], [0, 7, 0], [0, 0, 0]]),
    owned=torch.tensor([[2, 3, 4, 6, 11], [5, 7, 0, 0, 0], [9, 0, 0, 0, 0]]),  # 11 is the one forgotten
    negatives=NOTHING,
    real=NOBODY.bool(),
    log_q=NOTHING.float(),
    preferred=NOBODY,
    other=NOBODY,
    weights=NOBODY.float(),
)


@MATCHES
def test_learns_which_games_go_together(folder, match):
    """Of 8 games of its cluster a user has 6 (7 at test): the wanted one is among the first two (is the first)."""
    made = fitted(folder, model=task(kind=Classifier, match=match()), max_epochs=15)
    assert made.callback_metrics["val/ndcg@3"] >= 0.9 * (1 + 1 / math.log2(3)) / 2
    (found,) = made.test(made.lightning_module, made.datamodule, verbose=False)
    assert found["test/ndcg@3"] > 0.97
    untrained = trainer().validate(task(kind=Classifier, match=match()), data(folder), verbose=False)[0]
    assert untrained["val/ndcg@3"] < 0.6


def test_training_starts_from_popularity(folder):
    made = fitted(folder, model=task(kind=Classifier, learning_rate=0.0))
    popularity = data(folder).dataset.popularity().double().log()
    bias = made.lightning_module.ranker.game_bias[2:].double()
    torch.testing.assert_close(bias, popularity - popularity.exp().sum().log(), atol=1e-5, rtol=0)


def test_the_loss_equals_cross_entropy_of_each_hidden_game():
    model = task(kind=Classifier, match=LogSumExpMatch(match_dim=4, dropout=0.0))
    with torch.no_grad():
        model.ranker.game_bias.copy_(torch.linspace(-1, 1, 18))
    scores = model(BATCH.history).double()
    top = bottom = 0.0
    for b, games in enumerate([[4, 6], [7], []]):
        rest = [game for game in range(2, 18) if game not in BATCH.owned[b].tolist()]
        for game in games:
            top += len(games) ** -0.5 * functional.cross_entropy(scores[b, [game, *rest]], torch.tensor(0)).item()
            bottom += len(games) ** -0.5
    assert model.training_step(BATCH, 0).item() == pytest.approx(top / bottom, rel=1e-5)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@MATCHES
def test_a_step_without_hidden_games_changes_nothing(match, precision):
    """Every parameter still has a gradient, as processes that train together need it."""
    model = task(kind=Classifier, match=match())
    with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
        loss = model.training_step(BATCH._replace(held=torch.zeros_like(BATCH.held)), 0)
    loss.backward()
    assert loss.item() == 0.0
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


@MATCHES
def test_a_bf16_run_learns_and_keeps_fp32_weights(folder, match):
    made = fitted(folder, model=task(kind=Classifier, match=match()), precision="bf16-mixed", max_epochs=15)
    assert made.callback_metrics["val/ndcg@3"] > 0.7
    assert {parameter.dtype for parameter in made.lightning_module.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", [Classifier, PaperClassifier])
@pytest.mark.parametrize(
    "drawn", [{"num_negatives": 5}, {**NO_SAMPLES, "num_graded": 2}, {**NO_SAMPLES, "in_batch": True}]
)
def test_samples_that_would_not_be_used_are_refused(folder, kind, drawn):
    with pytest.raises(
        ConfigError, match="0, False and 0: a classifier compares hidden games with the whole catalogue"
    ):
        trainer().fit(task(kind=kind), data(folder, **drawn))


def test_a_catalogue_of_two_games_trains(tmp_path):
    write_tables(tmp_path, histories=[[2, 3], [2, 3]], validation={}, test={}, num_games=2)
    model = task(4, kind=Classifier)
    model.ranker.start_bias(torch.tensor([2, 2]))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    made = fitted(str(tmp_path), model=model, limit_val_batches=0)
    assert made.callback_metrics["train/loss"] == 0.0  # everyone has every game: there is nothing to learn
    assert all(torch.equal(before[name], value) for name, value in weights(made).items())
