import numpy as np
import torch

from memcom_rank.baselines import Ials
from tests.baselines.logs import IDS, USERS, clusters, of_own_cluster, play_log

REGULARIZATION, ALPHA = 2.0, 5.0


def fitted(seed=0):
    return Ials(4, REGULARIZATION, ALPHA, seed=seed).fit(*play_log()[:2], USERS, IDS)


def weighted_ridge(vectors, owned):
    """One user's vector by definition: least squares over every game, weighted by its confidence."""
    confidence = np.where(owned, ALPHA, 1.0)
    left = vectors.T @ (confidence[:, None] * vectors) + REGULARIZATION * np.eye(vectors.shape[1])
    return np.linalg.solve(left, vectors.T @ (confidence * owned))


def test_a_history_is_folded_in_by_weighted_least_squares():
    model = fitted()
    vectors = model.vectors_GD.double().numpy()
    scores = model.score(torch.tensor([[3, 5, 9, 0], [2, 1, 0, 0], [0, 0, 0, 0]]))
    assert scores.dtype == torch.float32
    for row, games in enumerate([[3, 5, 9], [2], []]):
        owned = np.isin(np.arange(2, IDS), games)
        np.testing.assert_allclose(scores[row, 2:].numpy(), vectors @ weighted_ridge(vectors, owned), atol=1e-5)
    assert not scores[:, :2].any()


def test_training_has_gone_to_a_minimum_of_the_objective():
    """The game vectors are what the same least squares gives, with users and games exchanged."""
    rows, games, dense = play_log()
    model = Ials(4, REGULARIZATION, ALPHA)
    model.fit(rows, games, USERS, IDS)
    vectors, owned = model.vectors_GD.double().numpy(), dense[:, 2:].numpy()
    users = np.stack([weighted_ridge(vectors, own) for own in owned])
    again = np.stack([weighted_ridge(users, own) for own in owned.T])
    assert np.abs(again - vectors).max() < 0.05 * np.abs(vectors).max()


def test_the_same_seed_gives_the_same_model():
    history = torch.tensor([[3, 5]])
    assert torch.equal(fitted().score(history), fitted().score(history))
    assert not torch.equal(fitted().score(history), fitted(seed=1).score(history))


def test_finds_the_cluster():
    model = Ials(4, 0.1, 10.0).fit(*clusters())
    for history in ([2, 4, 6], [3, 9]):
        assert of_own_cluster(model.score(torch.tensor([history]))[0], history)
