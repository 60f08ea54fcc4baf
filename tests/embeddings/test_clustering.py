import numpy as np
import torch

from memcom_rank.embeddings.clustering import game_factors, kmeans


def owned(groups: int = 3, users: int = 60, seed: int = 0):
    """Users of a group own most of its five games: ids 2-6, 7-11, ..."""
    rng = np.random.default_rng(seed)
    pairs = [(u, 2 + 5 * (u % groups) + g) for u in range(users) for g in range(5) if rng.random() < 0.8]
    users_N, ids_N = (torch.tensor(column) for column in zip(*pairs, strict=True))
    return users_N, ids_N


def test_factors_are_those_of_numpys_svd():
    users_N, ids_N = owned()
    matrix = np.zeros((17, 60))
    for user, game in zip(users_N.tolist(), ids_N.tolist(), strict=True):
        matrix[game, user] = 1
    counts = np.sqrt(np.maximum(matrix.sum(1, keepdims=True) * matrix.sum(0, keepdims=True), 1))
    left, values, _ = np.linalg.svd(matrix / counts)
    wanted = (left * values[:17])[2:, :4]
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    torch.manual_seed(0)
    factors = game_factors(users_N, ids_N, num_ids=17, width=4).numpy()
    assert not factors[:2].any()  # nobody has padding or the unknown game
    np.testing.assert_allclose(factors[2:] @ factors[2:].T, wanted @ wanted.T, atol=2e-3)


def test_games_of_the_same_users_are_one_cluster():
    users_N, ids_N = owned()
    torch.manual_seed(0)
    factors = game_factors(users_N, ids_N, num_ids=17, width=3)[2:]
    _, nearest = kmeans(factors, 3, torch.ones(15))
    assert [len(set(nearest[5 * g : 5 * g + 5].tolist())) for g in range(3)] == [1, 1, 1]
    assert len(set(nearest.tolist())) == 3


def test_kmeans_ends_where_centres_are_means_and_points_are_nearest(monkeypatch):
    torch.manual_seed(1)
    points, weights = torch.randn(200, 4), torch.rand(200) + 0.1
    monkeypatch.setattr("memcom_rank.embeddings.clustering._PIECE", 70)  # in pieces of ten points
    centres, nearest = kmeans(points, 7, weights, iterations=100)
    distances = torch.cdist(points, centres)
    assert torch.equal(nearest, distances.argmin(1))
    for number in range(7):
        mine = nearest == number
        mean = (points[mine] * weights[mine, None]).sum(0) / weights[mine].sum()
        torch.testing.assert_close(centres[number], mean, rtol=1e-4, atol=1e-4)


def test_every_cluster_has_points_where_there_are_enough_distinct_ones():
    torch.manual_seed(2)
    points = torch.cat([torch.zeros(50, 2), torch.arange(1.0, 9.0)[:, None] * torch.ones(8, 2) * 10])
    _, nearest = kmeans(points, 9, torch.cat([torch.full((50,), 100.0), torch.ones(8)]))
    assert len(set(nearest.tolist())) == 9


def test_more_clusters_than_points():
    torch.manual_seed(3)
    points = torch.randn(3, 2)
    centres, nearest = kmeans(points, 5, torch.ones(3))
    assert centres.shape == (5, 2)
    torch.testing.assert_close(centres[nearest], points)


def test_the_same_seed_gives_the_same_clusters():
    def made():
        torch.manual_seed(4)
        return kmeans(game_factors(*owned(), num_ids=17, width=5), 4, torch.ones(17))

    assert all(torch.equal(a, b) for a, b in zip(made(), made(), strict=True))
