import pytest
import torch

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings import Full, MEmCom
from memcom_rank.export.device import DeviceRanker
from memcom_rank.models import LogSumExpMatch, MixtureMatch, PaperNetwork, PoolMatch
from tests.export.rankers import DIM, NUM_IDS, ranker


@pytest.mark.parametrize("match", [LogSumExpMatch(match_dim=3), MixtureMatch(), PoolMatch()])
def test_it_ranks_as_the_model_without_what_was_seen(match):
    model = ranker(MEmCom(NUM_IDS, DIM, target_ratio=2), match)
    device = DeviceRanker(model, bits=32, k=7)
    history_BL = torch.tensor([[5, 2, 9, 0], [0, 0, 0, 0], [1, 40, 3, 0]])
    with torch.no_grad():
        ids_BK, scores_BK = device(history_BL)
        scores_BV = model(history_BL)
    for user, history in enumerate(history_BL.tolist()):
        left = [game for game in range(2, NUM_IDS) if game not in history]
        best = sorted(left, key=lambda game: -scores_BV[user, game].item())[:7]
        assert ids_BK[user].tolist() == best
        torch.testing.assert_close(scores_BK[user], scores_BV[user, best])


def test_ids_of_no_game_are_unknown_and_no_history_is_an_empty_one():
    device = DeviceRanker(ranker(Full(NUM_IDS, DIM)), bits=32, k=5)
    with torch.no_grad():
        odd, unknown = device(torch.tensor([[NUM_IDS, -1, 7]])), device(torch.tensor([[1, 1, 7]]))
        empty, none = device(torch.zeros(1, 3, dtype=torch.int64)), device(torch.zeros(1, 0, dtype=torch.int64))
    for one, other in ((odd, unknown), (empty, none)):
        assert torch.equal(one[0], other[0])
        torch.testing.assert_close(one[1], other[1])


def test_places_beyond_the_games_that_are_left_say_so():
    device = DeviceRanker(ranker(Full(NUM_IDS, DIM)), bits=32, k=4)
    with torch.no_grad():
        ids_BK, scores_BK = device(torch.arange(4, NUM_IDS)[None])
    assert sorted(ids_BK[0, :2].tolist()) == [2, 3]
    assert ids_BK[0, 2:].tolist() == [0, 0]
    assert scores_BK[0].isfinite().tolist() == [True, True, False, False]


def test_a_network_with_an_output_layer_is_refused():
    network = PaperNetwork(Full(NUM_IDS, DIM), widths=[4], dropout=0.0)
    with pytest.raises(ConfigError, match="PaperNetwork has an output layer"):
        DeviceRanker(network, bits=8, k=3)
