import torch

from memcom_rank.baselines import Bpr
from tests.baselines.logs import IDS, USERS, clusters, of_own_cluster, play_log


def fitted(seed=0):
    return Bpr(4, 0.01, 20, seed=seed).fit(*play_log()[:2], USERS, IDS)


def test_a_history_is_the_mean_of_its_games():
    model = fitted()
    scores = model.score(torch.tensor([[3, 5, 1, 0], [2, 0, 0, 0], [0, 0, 0, 0]]))
    assert scores.dtype == torch.float32
    for row, games in enumerate([[3, 5], [2], []]):
        mean = sum((model.vectors_VD[game] for game in games), torch.zeros(4)) / max(len(games), 1)
        wanted = [float(mean @ model.vectors_VD[i] + model.bias_V[i]) for i in range(2, IDS)]
        torch.testing.assert_close(scores[row, 2:], torch.tensor(wanted))
    assert not scores[:, :2].any()
    assert model.bias_V[2:].all()


def test_the_same_seed_gives_the_same_model():
    history = torch.tensor([[3, 5]])
    assert torch.equal(fitted().score(history), fitted().score(history))
    assert not torch.equal(fitted().score(history), fitted(seed=1).score(history))


def test_finds_the_cluster():
    model = Bpr(8, 0.001, 300).fit(*clusters())
    for history in ([2, 4, 6], [3, 9]):
        assert of_own_cluster(model.score(torch.tensor([history]))[0], history)
