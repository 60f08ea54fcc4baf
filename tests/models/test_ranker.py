import copy

import pytest
import torch

from memcom_rank.models import LogSumExpMatch, MixtureMatch, PoolMatch, Ranker, match
from memcom_rank.models import ranker as ranker_module
from tests.models.references import DIM, EMBEDDINGS, HISTORIES, NUM_IDS, pool_scores, stirred

MATCHES = {"pool": PoolMatch, "log_sum_exp": lambda: LogSumExpMatch(match_dim=4), "mixture": MixtureMatch}


@pytest.fixture(params=[(e, m, b) for e in EMBEDDINGS for m in MATCHES for b in (False, True)], ids=str)
def ranker(request):
    embedding, matcher, bias = request.param
    torch.manual_seed(0)
    return stirred(Ranker(EMBEDDINGS[embedding](), MATCHES[matcher](), game_bias=bias))


def test_scores_are_match_plus_bias():
    ranker = stirred(Ranker(EMBEDDINGS["memcom"](), PoolMatch(), game_bias=True))
    wanted = pool_scores(ranker.match, ranker.embedding, HISTORIES) + ranker.game_bias
    torch.testing.assert_close(ranker(HISTORIES)[:, 1:], wanted[:, 1:])


@pytest.mark.parametrize("games", [[2, 5, 13], [7], [3, 3, 2, 12], [0, 1, 2]])
def test_chosen_games_have_their_scores_of_the_whole_catalogue(ranker, games):
    chosen = torch.tensor(games)
    torch.testing.assert_close(ranker.score(HISTORIES, chosen), ranker(HISTORIES)[:, chosen])


def allow(monkeypatch, games):
    """Let training score so many games at once, and the whole catalogue if it has no more."""
    monkeypatch.setattr(ranker_module, "_TILES", 1)
    monkeypatch.setattr(match, "_MAX_SCORES", len(HISTORIES) * games)
    monkeypatch.setattr(match, "_MAX_LIKENESS", len(HISTORIES.unique()) * games)


@pytest.mark.parametrize("games", [1, 4, 7, NUM_IDS - 1, NUM_IDS])
def test_tiles_are_the_scores_of_the_whole_catalogue(ranker, monkeypatch, games):
    allow(monkeypatch, games)
    tiles = ranker.tiles(HISTORIES)
    assert [*tiles] == [*range(1, NUM_IDS, games)]
    scores = torch.cat([make() for make in tiles.values()], 1)
    torch.testing.assert_close(scores, ranker(HISTORIES)[:, 1:])


def test_a_tile_made_again_is_the_same_also_with_dropout(monkeypatch):
    allow(monkeypatch, 5)
    ranker = Ranker(EMBEDDINGS["full"](), PoolMatch(dropout=0.5), game_bias=False)
    tiles, others = ranker.tiles(HISTORIES), ranker.tiles(HISTORIES)
    for first, make in tiles.items():
        assert torch.equal(make(), make())
        assert not torch.equal(make(), others[first]())  # another step draws another


@pytest.mark.parametrize(("games", "size"), [(13, 13), (12, 4), (2, 1)])
def test_what_does_not_fit_whole_is_scored_in_smaller_parts(monkeypatch, games, size):
    monkeypatch.setattr(match, "_MAX_SCORES", len(HISTORIES) * games)
    ranker = Ranker(EMBEDDINGS["full"](), PoolMatch(), game_bias=False)
    assert [*ranker.tiles(HISTORIES)] == [*range(1, NUM_IDS, size)]


def test_few_games_are_scored_at_once_however_many_there_are(ranker, monkeypatch):
    monkeypatch.setattr(match, "_MAX_SCORES", 1)
    assert len(ranker.tiles(HISTORIES)) == NUM_IDS - 1  # one game is the least
    assert {make().shape for make in ranker.tiles(HISTORIES[:0]).values()} == {(0, 1)}


def test_a_new_user_gets_the_popular_games(ranker):
    scores = ranker(torch.zeros(1, 2, dtype=torch.int64))[0]
    bias = torch.zeros(NUM_IDS) if ranker.game_bias is None else ranker.game_bias
    torch.testing.assert_close((scores - scores[2])[2:], (bias - bias[2])[2:])


@pytest.mark.parametrize("how", ["forward", "score"])
def test_training_reaches_every_parameter(ranker, how):
    games = torch.arange(2, NUM_IDS)
    scores = ranker.score(HISTORIES, games) if how == "score" else ranker(HISTORIES)[:, 2:]
    scores.square().sum().backward()
    for name, parameter in ranker.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_bytes_count_everything_once(ranker):
    matcher = {PoolMatch: 0, MixtureMatch: 4, LogSumExpMatch: 4 * (4 + 1)}[type(ranker.match)]  # gain and floor
    bias = 0 if ranker.game_bias is None else 4 * NUM_IDS
    assert ranker.num_bytes == ranker.embedding.num_bytes + matcher + bias
    assert ranker.num_bytes == 4 * sum(tensor.numel() for tensor in ranker.state_dict().values())
    assert copy.deepcopy(ranker).double().num_bytes == copy.deepcopy(ranker).bfloat16().num_bytes == ranker.num_bytes


def test_bytes_of_a_full_ranker_by_hand():
    full = Ranker(EMBEDDINGS["full"](), LogSumExpMatch(match_dim=4), game_bias=True)
    assert full.num_bytes == 4 * (14 * 6 + 14 + 4 + 1)


def test_the_bias_starts_at_the_log_share_of_popularity():
    ranker = Ranker(EMBEDDINGS["full"](), PoolMatch(), game_bias=True)
    ranker.start_bias(torch.tensor([100, 10, 1, *[1] * 9]))
    bias = ranker.game_bias.detach()
    assert bias[:2].tolist() == [0, 0]
    assert bias[2:].exp().tolist() == pytest.approx([100 / 120, 10 / 120, *[1 / 120] * 10], rel=1e-5)
    assert ranker.game_bias.requires_grad


def test_a_bias_that_was_trained_starts_nowhere_else():
    ranker = Ranker(EMBEDDINGS["full"](), PoolMatch(), game_bias=True)
    ranker.start_bias(torch.tensor([100, 10, 1, *[1] * 9]))
    before = ranker.game_bias.detach().clone()
    ranker.start_bias(torch.ones(12))
    assert torch.equal(ranker.game_bias, before)


def test_without_a_bias_nothing_starts():
    ranker = Ranker(EMBEDDINGS["full"](), PoolMatch(), game_bias=False)
    before = copy.deepcopy(ranker.state_dict())
    ranker.start_bias(torch.ones(NUM_IDS - 2))
    assert all(torch.equal(before[name], value) for name, value in ranker.state_dict().items())


def test_a_catalogue_of_one_game():
    for matcher in (PoolMatch(), LogSumExpMatch(match_dim=DIM)):
        ranker = Ranker(type(EMBEDDINGS["full"]())(3, DIM), matcher, game_bias=True)
        assert ranker(torch.tensor([[2], [1], [0]])).isfinite().all()


def test_bf16_autocast_is_close(ranker):
    exact = ranker(HISTORIES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(ranker(HISTORIES).float(), exact, rtol=0.03, atol=0.06)
