import numpy as np
import pytest
import torch

from memcom_rank.baselines import Ease, ease, gram_matrix, select_ridge
from memcom_rank.contract.errors import ConfigError

USERS, IDS = 40, 11


def play_log(seed=0):
    """Random histories over ids 1 (unknown) to 10; nobody plays id 7."""
    dense = torch.rand(USERS, IDS, generator=torch.Generator().manual_seed(seed)) < 0.35
    dense[:, [0, 7]] = False
    rows, games = dense.nonzero().T
    shuffle = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed + 1))
    return rows[shuffle], games[shuffle], dense


def ridge_regressions(dense, ridge):
    """EASE by definition: game j regressed on all other games, one plain ridge regression a column."""
    x = dense[:, 2:].double().numpy()
    weights = np.zeros((x.shape[1], x.shape[1]))
    for j in range(x.shape[1]):
        rest = [i for i in range(x.shape[1]) if i != j]
        left = x[:, rest].T @ x[:, rest] + ridge * np.eye(len(rest))
        weights[rest, j] = np.linalg.solve(left, x[:, rest].T @ x[:, j])
    return weights


@pytest.mark.parametrize("ridge", [0.5, 20.0])
def test_equals_one_ridge_regression_per_game(ridge):
    rows, games, dense = play_log()
    model = Ease(ridge).fit(rows, games, USERS, IDS)
    wanted = ridge_regressions(dense, ridge)
    np.testing.assert_allclose(model.weights_VV[2:, 2:].numpy(), wanted, atol=1e-6)
    history = torch.tensor([[3, 5, 9, 0], [2, 0, 0, 0]])
    sums = [wanted[[1, 3, 7]].sum(0), wanted[0]]
    np.testing.assert_allclose(model.score(history)[:, 2:].numpy(), sums, atol=1e-6)


def test_padding_and_unknown_add_nothing_and_score_zero():
    model = Ease(10.0).fit(*play_log()[:2], USERS, IDS)
    with_unknown = model.score(torch.tensor([[4, 1, 1, 6]]))
    assert torch.equal(with_unknown, model.score(torch.tensor([[4, 0, 6, 0]])))
    assert with_unknown.dtype == torch.float32
    assert with_unknown.shape == (1, IDS)
    assert not with_unknown[:, :2].any()
    assert not model.score(torch.tensor([[0, 0]])).any()


def test_a_game_never_played_scores_zero_and_a_game_does_not_predict_itself():
    model = Ease(10.0).fit(*play_log()[:2], USERS, IDS)
    every = model.score(torch.arange(2, IDS).view(-1, 1))[:, 2:]
    assert not every[:, 5].any()
    assert not every.diagonal().any()


def test_renumbering_the_games_renumbers_the_scores():
    rows, games, _ = play_log()
    new_id = torch.cat([torch.arange(2), torch.randperm(IDS - 2, generator=torch.Generator().manual_seed(5)) + 2])
    history = torch.tensor([[3, 5, 0], [8, 2, 9]])
    scores = Ease(10.0).fit(rows, games, USERS, IDS).score(history)
    renumbered = Ease(10.0).fit(rows, new_id[games], USERS, IDS).score(new_id[history])
    torch.testing.assert_close(renumbered[:, new_id], scores, atol=1e-6, rtol=0)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_gram_matrix_equals_the_dense_product_for_any_chunk(chunk, monkeypatch):
    monkeypatch.setattr(ease, "_USERS_PER_CHUNK", chunk)
    rows, games, dense = play_log()
    x = dense[:, 2:].double()
    assert torch.equal(gram_matrix(rows, games, USERS, IDS), x.T @ x)


def test_select_ridge_keeps_the_best_and_changes_no_gram():
    rows, games, _ = play_log()
    gram = gram_matrix(rows, games, USERS, IDS)
    before = gram.clone()
    value = {5.0: 0.1, 10.0: 0.3, 50.0: 0.2}
    best, values = select_ridge(gram, lambda fitted: value[fitted.ridge], list(value))
    assert (best.ridge, values) == (10.0, value)
    assert torch.equal(gram, before)
    assert torch.equal(best.weights_VV, Ease(10.0).fit(rows, games, USERS, IDS).weights_VV)


def test_errors_name_what_is_wrong(monkeypatch):
    with pytest.raises(ConfigError, match=r"ridge 0\.0"):
        Ease(0.0)
    with pytest.raises(ConfigError, match="no ridge"):
        select_ridge(torch.eye(3, dtype=torch.float64), lambda fitted: 0.0, [])
    monkeypatch.setattr(ease, "MAX_GAMES", IDS - 3)
    with pytest.raises(ConfigError, match="9 games needs"):
        Ease(1.0).fit(*play_log()[:2], USERS, IDS)
