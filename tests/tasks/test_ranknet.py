import copy
import math

import pytest
import torch
from torch.nn import functional

from memcom_rank.contract.errors import ConfigError
from memcom_rank.data import TrainBatch
from memcom_rank.embeddings import Full
from memcom_rank.models import LogSumExpMatch, PoolMatch
from tests.data.tiny import write_tables
from tests.tasks.small import data, fitted, task, trainer, weights

# ---- learning ----


@pytest.mark.parametrize("top_heavy", [True, False])
@pytest.mark.parametrize("match", [lambda: PoolMatch(), lambda: LogSumExpMatch(match_dim=4)], ids=["pool", "lse"])
def test_learns_which_games_go_together(folder, match, top_heavy):
    """Of 8 games of its cluster a user has 6 (7 at test): the wanted one is among the first two (is the first)."""
    made = fitted(folder, model=task(match=match(), top_heavy=top_heavy), max_epochs=15)
    assert made.callback_metrics["val/ndcg@3"] >= 0.9 * (1 + 1 / math.log2(3)) / 2
    (found,) = made.test(made.lightning_module, made.datamodule, verbose=False)
    assert found["test/ndcg@3"] > 0.97
    untrained = trainer().validate(task(match=match()), data(folder), verbose=False)[0]
    assert untrained["val/ndcg@3"] < 0.6


def test_graded_pairs_teach_what_is_played_more(folder):
    """In this dataset the game of greater id is always preferred; the loss on sampled pairs alone does not see it."""

    def order(graded_weight, num_graded):
        made = fitted(
            folder,
            model=task(graded_weight=graded_weight, embedding=Full),
            loaders={"num_graded": num_graded},
            max_epochs=15,
        )
        batch = next(iter(made.datamodule.predict_dataloader()))
        scores = made.lightning_module.eval()(batch.history)
        pairs = [(scores[b, max(own)] > scores[b, min(own)]).item() for b, own in enumerate(batch.history.tolist())]
        return sum(pairs) / len(pairs)

    assert order(1.0, 8) > 0.95
    assert order(0.0, 0) < 0.9


def test_training_starts_from_popularity(folder):
    popularity = data(folder).dataset.games()["popularity"].to_pylist()
    made = fitted(folder, model=task(learning_rate=0.0))
    bias = made.lightning_module.ranker.game_bias[2:].tolist()
    mean = sum(math.log(count) for count in popularity) / len(popularity)
    assert bias == pytest.approx([math.log(count) - mean for count in popularity], abs=1e-5)


# ---- one step ----


def batch_of(history, held, negatives, real, graded=((0, 0, 0.0),)):
    graded = torch.tensor(graded)
    preferred, other = (graded[:, i].long()[None].expand(len(history), -1) for i in (0, 1))
    seen, held, negatives, real = (torch.tensor(part) for part in (history, held, negatives, real))
    weights = graded[:, 2][None].expand(len(history), -1)
    return TrainBatch(3, seen, held, torch.cat([seen, held], 1), negatives, real, preferred, other, weights)


BATCH = batch_of(
    history=[[2, 3, 1], [5, 0, 0], [0, 0, 0]],
    held=[[4, 6, 0], [0, 7, 0], [0, 0, 0]],
    negatives=[8, 9, 2, 8],
    real=[[True, True, False, True], [True] * 4, [False] * 4],
    graded=((6, 2, 0.5), (9, 3, 1.0)),
)


@pytest.mark.parametrize("top_heavy", [True, False])
@pytest.mark.parametrize("graded_weight", [0.0, 0.3])
def test_the_loss_equals_a_loop_over_hidden_games(top_heavy, graded_weight):
    model = task(match=LogSumExpMatch(match_dim=4, dropout=0.0), top_heavy=top_heavy, graded_weight=graded_weight)
    with torch.no_grad():
        model.ranker.game_bias.copy_(torch.linspace(-1, 1, 18))
    scores = model(BATCH.history).double()
    top = bottom = 0.0
    for b, held in enumerate(BATCH.held.tolist()):
        games = [game for game in held if game]
        others = [game for game, real in zip(BATCH.negatives.tolist(), BATCH.real[b].tolist(), strict=True) if real]
        for game in games:
            gaps = [(scores[b, other] - scores[b, game]).item() for other in others]
            share = 1 + sum(math.exp(gap) for gap in gaps)
            pairs = [(1 + math.exp(gap)) / share if top_heavy else 1 / len(others) for gap in gaps]
            top += len(games) ** -0.5 * sum(p * math.log1p(math.exp(gap)) for p, gap in zip(pairs, gaps, strict=True))
            bottom += len(games) ** -0.5
    wanted = top / bottom
    pairs = list(zip(BATCH.preferred[0].tolist(), BATCH.other[0].tolist(), BATCH.weights[0].tolist(), strict=True))
    losses = [w * functional.softplus(scores[b, o] - scores[b, p]).item() for b in range(3) for p, o, w in pairs]
    wanted += graded_weight * sum(losses) / (3 * sum(w for _, _, w in pairs))
    assert model.training_step(BATCH, 0).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("match", [lambda: PoolMatch(), lambda: LogSumExpMatch(match_dim=4)], ids=["pool", "lse"])
@pytest.mark.parametrize("top_heavy", [True, False])
def test_a_step_without_hidden_games_changes_nothing(match, precision, top_heavy):
    """Every parameter still has a gradient, as processes that train together need it."""
    model = task(match=match(), top_heavy=top_heavy)
    empty = BATCH._replace(held=torch.zeros_like(BATCH.held))
    with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
        loss = model.training_step(empty, 0)
    loss.backward()
    assert loss.item() == 0.0
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


def test_users_without_negatives_have_no_say():
    model = task()
    none = BATCH._replace(real=torch.zeros_like(BATCH.real))
    loss = model.training_step(none, 0)
    loss.backward()
    assert loss.item() == 0.0
    assert not any(parameter.grad.any() for parameter in model.parameters())


def test_a_step_under_bf16_is_close_and_its_loss_fp32():
    model = task(match=LogSumExpMatch(match_dim=4, dropout=0.0))
    exact = model.training_step(BATCH, 0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model.training_step(BATCH, 0)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)


@pytest.mark.parametrize("match", [lambda: PoolMatch(), lambda: LogSumExpMatch(match_dim=4)], ids=["pool", "lse"])
def test_a_bf16_run_learns_and_keeps_fp32_weights(folder, match):
    made = fitted(folder, model=task(match=match()), precision="bf16-mixed", max_epochs=15)
    assert made.callback_metrics["val/ndcg@3"] > 0.7
    assert {parameter.dtype for parameter in made.lightning_module.parameters()} == {torch.float32}


def test_graded_pairs_are_drawn_if_and_only_if_they_weigh(folder):
    for weight, drawn in ((0.5, 0), (0.0, 4)):
        with pytest.raises(ConfigError, match=f"model.graded_weight is {weight} and data.num_graded is {drawn}"):
            fitted(folder, model=task(graded_weight=weight), loaders={"num_graded": drawn})


def test_there_must_be_negatives(folder):
    with pytest.raises(ConfigError, match=r"data.num_negatives is 0"):
        fitted(folder, loaders={"num_negatives": 0})


def test_a_catalogue_of_two_games_trains(tmp_path):
    write_tables(tmp_path, histories=[[2, 3], [2, 3]], validation={}, test={}, num_games=2)
    before = copy.deepcopy(task(4).state_dict())
    made = fitted(str(tmp_path), model=task(4), limit_val_batches=0)
    assert made.callback_metrics["train/loss"] == 0.0  # everyone has every game: there is nothing to learn
    assert all(torch.equal(before[name], value) for name, value in weights(made).items())
