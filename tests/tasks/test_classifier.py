import math
from functools import partial

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from memcom_rank.contract.errors import ConfigError
from memcom_rank.data import TrainBatch
from memcom_rank.embeddings import Full, MEmCom, NaiveHash
from memcom_rank.models import LogSumExpMatch, MixtureMatch, PoolMatch
from memcom_rank.models import match as matching
from memcom_rank.tasks import Classifier, PaperClassifier
from tests.data.tiny import write_tables
from tests.tasks.small import NO_SAMPLES, data, fitted, task, trainer, weights

MATCHES = pytest.mark.parametrize(
    "match", [PoolMatch, lambda: LogSumExpMatch(match_dim=4), MixtureMatch], ids=["pool", "lse", "mixture"]
)
EPOCHS = {MixtureMatch: 60}  # tastes part slowly at first
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
    made = fitted(folder, model=task(kind=Classifier, match=match()), max_epochs=EPOCHS.get(match, 15))
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


SMALLER = {
    "full": Full,
    "memcom": partial(MEmCom, target_ratio=1.5),
    "memcom_no_bias": partial(MEmCom, bias=False, target_ratio=3),
    "naive_hash": partial(NaiveHash, target_ratio=2),
}
EMBEDDINGS = pytest.mark.parametrize("embedding", SMALLER.values(), ids=SMALLER.keys())


def allow(monkeypatch, most):
    """Let training hold so many scores at once."""
    monkeypatch.setattr(matching, "_MAX_SCORES", most)
    monkeypatch.setattr(matching, "_MAX_LIKENESS", most)


def step(model, batch):
    """Return loss and gradients of one step."""
    model.zero_grad()
    loss = model.training_step(batch, 0)
    loss.backward()
    return loss.detach(), {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@EMBEDDINGS
@MATCHES
@pytest.mark.parametrize("game_bias", [False, True])
@pytest.mark.parametrize("most", [1, 15, 30])  # a game a tile, five and ten of the 18 (fewer for log-sum-exp)
def test_tiles_give_the_loss_and_gradients_of_the_whole(embedding, match, game_bias, most, monkeypatch):
    """With the shipped dropout: a step draws it once."""
    model = task(kind=Classifier, match=match(), embedding=embedding, game_bias=game_bias)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.3)
    assert len(model.ranker.tiles(BATCH.history)) == 1
    whole = step(model, BATCH)
    allow(monkeypatch, most)
    assert len(model.ranker.tiles(BATCH.history)) > 1
    torch.testing.assert_close(step(model, BATCH), whole, rtol=1e-5, atol=1e-6)


@MATCHES
def test_a_bf16_step_in_tiles_is_finite_and_close(match, monkeypatch):
    model = task(kind=Classifier, match=match())
    whole = step(model, BATCH)
    allow(monkeypatch, 15)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tiled = step(model, BATCH)
    assert tiled[0].dtype == torch.float32
    torch.testing.assert_close(tiled, whole, rtol=0.05, atol=0.02)


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that any operation returns, forward or backward."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor)]
        self.elements = max(self.elements, *sizes, 0)
        return found


@EMBEDDINGS
@MATCHES
def test_no_tensor_is_users_times_games(embedding, match, monkeypatch):
    users, games = 40, 1000
    ids = torch.randint(2, games, (users, 6), generator=torch.Generator().manual_seed(0))
    batch = BATCH._replace(history=ids[:, :3], held=ids[:, 3:], owned=ids)
    model, largest = task(games, kind=Classifier, match=match(), embedding=embedding), []
    for _ in range(2):
        with Largest() as seen:
            step(model, batch)
        largest.append(seen.elements)
        allow(monkeypatch, 2000)
    assert largest[0] >= users * games
    queries = len(batch.history.unique()) if isinstance(model.ranker.match, LogSumExpMatch) else users
    rows = getattr(model.ranker.embedding, "num_rows", 0)  # that games share
    assert largest[1] <= max(games * 8, queries * (rows + 1))  # the full table, or what is done once for a query


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("most", [15, 2**20], ids=["tiles", "whole"])
@MATCHES
def test_a_step_without_hidden_games_changes_nothing(match, most, precision, monkeypatch):
    """Every parameter still has a gradient, as processes that train together need it."""
    allow(monkeypatch, most)
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
    epochs = EPOCHS.get(match, 15)
    made = fitted(folder, model=task(kind=Classifier, match=match()), precision="bf16-mixed", max_epochs=epochs)
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
