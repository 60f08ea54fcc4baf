import numpy as np
import pytest
import torch

from memcom_rank.baselines import ItemKnn
from memcom_rank.contract.errors import ConfigError
from tests.baselines.logs import IDS, USERS, clusters, of_own_cluster, play_log

HISTORY = torch.tensor([[3, 5, 9, 0], [2, 0, 0, 0]])


def weighted(dense, weighting):
    """Users x games by the formulas, without the unknown game."""
    x = dense[:, 2:].double().numpy()
    idf_U1 = np.log(x.shape[1]) - np.log1p(x.sum(1, keepdims=True))  # of users: one with few games says more
    if weighting == "bm25":
        popularity_G = x.sum(0)
        return x * 2.2 / (1.2 * (0.25 + 0.75 * popularity_G / popularity_G.mean()) + 1) * idf_U1
    x = x * idf_U1 if weighting == "tfidf" else x
    return x / np.linalg.norm(x, axis=0)


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
@pytest.mark.parametrize("neighbours", [2, 4, 100])
def test_equals_a_dense_table_of_similarities(weighting, neighbours):
    rows, games, dense = play_log()
    w = weighted(dense, weighting)
    similarity = w.T @ w
    kept = np.zeros_like(similarity)
    for game, row in enumerate(similarity):  # itself and its most similar games
        for other in sorted(range(len(row)), key=lambda other: -row[other])[: neighbours + 1]:
            kept[game, other] = row[other]
    scores = ItemKnn(weighting, neighbours).fit(rows, games, USERS, IDS).score(HISTORY)
    assert scores.dtype == torch.float32
    np.testing.assert_allclose(scores[:, 2:].numpy(), [kept[[1, 3, 7]].sum(0), kept[0]], rtol=1e-5)
    assert not scores[:, :2].any()


def test_padding_and_unknown_add_nothing():
    model = ItemKnn("tfidf", 3).fit(*play_log()[:2], USERS, IDS)
    assert torch.equal(model.score(torch.tensor([[4, 1, 0, 6]])), model.score(torch.tensor([[6, 4]])))
    assert not model.score(torch.tensor([[0, 0]])).any()


def test_finds_the_cluster():
    model = ItemKnn("cosine", 5).fit(*clusters())
    for history in ([2, 4, 6], [3, 9]):
        assert of_own_cluster(model.score(torch.tensor([history]))[0], history)


@pytest.mark.parametrize(("weighting", "neighbours"), [("jaccard", 5), ("cosine", 0)])
def test_errors_name_what_is_wrong(weighting, neighbours):
    with pytest.raises(ConfigError, match=f"'{weighting}' and {neighbours} neighbours"):
        ItemKnn(weighting, neighbours)
