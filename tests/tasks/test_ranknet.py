import copy
import math

import pytest
import torch
from torch.nn import functional

from memcom_rank import losses
from memcom_rank.contract.errors import ConfigError
from memcom_rank.data import TrainBatch
from memcom_rank.embeddings import Full
from memcom_rank.models import LogSumExpMatch, PoolMatch
from tests.data.tiny import write_tables
from tests.tasks.small import data, fitted, task, trainer, weights

# ---- learning ----


every_loss = pytest.mark.parametrize(
    "loss", [getattr(losses, name) for name in losses.__all__ if name not in ("softmax_loss", "tiled_softmax_loss")]
)
NEGATIVES = {
    "uniform": {"num_negatives": 8},
    "popularity": {"num_negatives": 8, "negative_power": 0.75},
    "in-batch": {"num_negatives": 0, "in_batch": True},
    "mixed": {"num_negatives": 4, "in_batch": True},
}


@every_loss
@pytest.mark.parametrize("match", [lambda: PoolMatch(), lambda: LogSumExpMatch(match_dim=4)], ids=["pool", "lse"])
def test_learns_which_games_go_together(folder, match, loss):
    """Of 8 games of its cluster a user has 6 (7 at test): the wanted one is among the first two (is the first)."""
    assert_learns(folder, match, loss=loss)


@pytest.mark.parametrize("negatives", NEGATIVES.values(), ids=NEGATIVES)
@pytest.mark.parametrize("hardest", [None, 3])
def test_learns_from_any_negatives(folder, negatives, hardest):
    assert_learns(folder, lambda: LogSumExpMatch(match_dim=4), loaders=negatives, hardest=hardest)


def assert_learns(folder, match, *, loaders=None, **options):
    made = fitted(folder, model=task(match=match(), **options), loaders=loaders, max_epochs=15)
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
    assert bias == pytest.approx([math.log(count / sum(popularity)) for count in popularity], abs=1e-5)


# ---- one step ----


def batch_of(history, held, negatives, real, log_q, graded=((0, 0, 0.0),)):
    graded = torch.tensor(graded)
    preferred, other = (graded[:, i].long()[None].expand(len(history), -1) for i in (0, 1))
    seen, held, negatives, real = (torch.tensor(part) for part in (history, held, negatives, real))
    weights = graded[:, 2][None].expand(len(history), -1)
    owned, log_q = torch.cat([seen, held], 1), torch.tensor(log_q)
    return TrainBatch(3, seen, held, owned, negatives, real, log_q, preferred, other, weights)


BATCH = batch_of(
    history=[[2, 3, 1], [5, 0, 0], [0, 0, 0]],
    held=[[4, 6, 0], [0, 7, 0], [0, 0, 0]],
    negatives=[8, 9, 2, 11],
    real=[[True, True, False, True], [True] * 4, [False] * 4],
    log_q=[-0.5, -2.0, -1.0, 0.0],
    graded=((6, 2, 0.5), (9, 3, 1.0)),
)


def one_game(loss, preferred, others, log_q):
    """The loss of one hidden game by itself; those of `tests/losses` compare it with its formula."""
    real = torch.ones(1, len(others), dtype=torch.bool)
    return loss(preferred[None], torch.tensor([0]), others[None], real, log_q, torch.ones(1))


@every_loss
@pytest.mark.parametrize("hardest", [None, 1, 2, 3, 99])
@pytest.mark.parametrize("graded_weight", [0.0, 0.3])
def test_the_loss_equals_a_loop_over_hidden_games(loss, hardest, graded_weight):
    options = {"loss": loss, "hardest": hardest, "graded_weight": graded_weight}
    model = task(match=LogSumExpMatch(match_dim=4, dropout=0.0), **options)
    with torch.no_grad():
        model.ranker.game_bias.copy_(torch.linspace(-1, 1, 18))
    scores = model(BATCH.history).double()
    top = bottom = 0.0
    for b, held in enumerate(BATCH.held.tolist()):
        games = [game for game in held if game]
        real = [k for k in range(4) if BATCH.real[b, k]]
        chosen = sorted(real, key=lambda k: -scores[b, BATCH.negatives[k]].item())[:hardest]
        others, log_q = scores[b, BATCH.negatives[chosen]], BATCH.log_q[chosen]
        for game in games:
            top += len(games) ** -0.5 * one_game(loss, scores[b, game], others, log_q).item()
            bottom += len(games) ** -0.5
    wanted = top / bottom
    pairs = list(zip(BATCH.preferred[0].tolist(), BATCH.other[0].tolist(), BATCH.weights[0].tolist(), strict=True))
    losses = [w * functional.softplus(scores[b, o] - scores[b, p]).item() for b in range(3) for p, o, w in pairs]
    wanted += graded_weight * sum(losses) / (3 * sum(w for _, _, w in pairs))
    assert model.training_step(BATCH, 0).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("match", [lambda: PoolMatch(), lambda: LogSumExpMatch(match_dim=4)], ids=["pool", "lse"])
@pytest.mark.parametrize("hardest", [None, 2])
@every_loss
def test_a_step_without_hidden_games_changes_nothing(match, precision, loss, hardest):
    """Every parameter still has a gradient, as processes that train together need it."""
    model = task(match=match(), loss=loss, hardest=hardest)
    empty = BATCH._replace(held=torch.zeros_like(BATCH.held))
    with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
        loss = model.training_step(empty, 0)
    loss.backward()
    assert loss.item() == 0.0
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


@pytest.mark.parametrize("hardest", [None, 2])
@every_loss
def test_users_without_negatives_have_no_say(loss, hardest):
    model = task(loss=loss, hardest=hardest)
    owned = BATCH._replace(real=torch.zeros_like(BATCH.real))
    none = BATCH._replace(negatives=BATCH.negatives[:0], real=BATCH.real[:, :0], log_q=BATCH.log_q[:0])
    for batch in (owned, none):
        model.zero_grad()
        found = model.training_step(batch, 0)
        found.backward()
        assert found.item() == 0.0
        assert not any(parameter.grad.any() for parameter in model.parameters())


def test_the_hardest_of_all_games_are_the_models_own_top(folder):
    """Drawn: the whole catalogue; compared with: what the ranking shows above or next to the hidden games."""
    seen = []

    def spy(preferred_N, user_N, other_BK, real_BK, log_q_BK, weights_N):
        seen.append((user_N, other_BK.detach(), real_BK, log_q_BK.expand_as(other_BK)))
        return losses.ranknet_loss(preferred_N, user_N, other_BK, real_BK, log_q_BK, weights_N)

    model, batches = task(loss=spy, hardest=3, match=PoolMatch(dropout=0.0)), data(folder, num_negatives=16)
    batch = next(iter(batches.train_dataloader()))
    model.training_step(batch, 0)
    ((user_N, other_BK, real_BK, log_q_BK),) = seen
    scores_BV = model(batch.history).scatter(1, batch.owned, -torch.inf)
    scores_BV[:, :2] = -torch.inf
    assert user_N.tolist() == (batch.held != 0).nonzero()[:, 0].tolist()
    torch.testing.assert_close(other_BK, scores_BV.topk(3).values)
    assert real_BK.all()
    assert not log_q_BK.any()


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


@pytest.mark.parametrize("options", [{}, {"in_batch": True, "batch_size": 1}])
def test_there_must_be_negatives(folder, options):
    with pytest.raises(ConfigError, match=r"data.num_negatives is 0, data.in_batch is "):
        fitted(folder, loaders={"num_negatives": 0, **options})


@pytest.mark.parametrize("loss", [losses.softmax_loss, functional.relu])
def test_a_loss_of_other_arguments_is_refused(loss):
    with pytest.raises(ConfigError, match=r"model.loss '.+': .*argument"):
        task(loss=loss)


@pytest.mark.parametrize("hardest", [0, -1])
def test_the_hardest_are_at_least_one(hardest):
    with pytest.raises(ConfigError, match=f"model.hardest is {hardest}"):
        task(hardest=hardest)


def test_a_catalogue_of_two_games_trains(tmp_path):
    write_tables(tmp_path, histories=[[2, 3], [2, 3]], validation={}, test={}, num_games=2)
    model = task(4)
    model.ranker.start_bias(torch.tensor([2, 2]))
    before = copy.deepcopy(model.state_dict())
    made = fitted(str(tmp_path), model=model, limit_val_batches=0)
    assert made.callback_metrics["train/loss"] == 0.0  # everyone has every game: there is nothing to learn
    assert all(torch.equal(before[name], value) for name, value in weights(made).items())
