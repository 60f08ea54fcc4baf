import math

import pytest
import torch

from memcom_rank.contract.errors import ConfigError
from memcom_rank.models import LogSumExpMatch, MixtureMatch, PoolMatch, match
from memcom_rank.models.match import Query, all_games
from tests.models.references import (
    DIM,
    EMBEDDINGS,
    HISTORIES,
    log_sum_exp_scores,
    mixture_scores,
    pool_scores,
    stirred,
)

WAYS = {
    "pool": (lambda power: PoolMatch(power=power), pool_scores),
    "log_sum_exp": (lambda power: LogSumExpMatch(match_dim=4, power=power), log_sum_exp_scores),
    "mixture": (lambda power: MixtureMatch(), mixture_scores),
    "log_sum_exp_only": (lambda power: LogSumExpMatch(match_dim=DIM, power=power), log_sum_exp_scores),
}


@pytest.fixture(params=EMBEDDINGS)
def embedding(request):
    torch.manual_seed(0)
    return stirred(EMBEDDINGS[request.param]())


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_scores_equal_a_loop_over_users_and_games(embedding, way, power):
    make, slow = way
    matcher = stirred(make(power), seed=1)
    torch.testing.assert_close(matcher(embedding, HISTORIES, all_games(embedding)), slow(matcher, embedding, HISTORIES))


def test_order_and_padding_of_a_history_do_not_matter(embedding, way):
    matcher = stirred(way[0](0.5), seed=1)
    moved = torch.nn.functional.pad(HISTORIES.flip(1), (2, 3))
    torch.testing.assert_close(
        matcher(embedding, moved, all_games(embedding)), matcher(embedding, HISTORIES, all_games(embedding))
    )


def test_an_empty_history_prefers_no_game(embedding, way):
    matcher = stirred(way[0](0.5), seed=1)
    scores = matcher(embedding, torch.zeros(2, 3, dtype=torch.int64), all_games(embedding))
    wanted = matcher.floor.item() if isinstance(matcher, LogSumExpMatch) else 0
    torch.testing.assert_close(scores, torch.full_like(scores, wanted))


def test_nobody_has_no_scores(embedding, way):
    assert way[0](0.5)(embedding, HISTORIES[:0], all_games(embedding)).shape == (0, embedding.num_ids)


@pytest.mark.parametrize("most", [1, 14, 14 * 5, 14 * 8, 14 * 13])
def test_parts_equal_the_whole(embedding, monkeypatch, most):
    matcher = stirred(LogSumExpMatch(match_dim=4), seed=1)
    whole = matcher(embedding, HISTORIES, all_games(embedding))
    asked = []

    def against(query):
        asked.append(len(query.values))
        return embedding.score(query.whole(DIM))

    monkeypatch.setattr(match, "_MAX_LIKENESS", most)
    with torch.no_grad():
        torch.testing.assert_close(matcher(embedding, HISTORIES, against), whole)
    assert len(asked) > 2
    assert max(asked[1:]) <= max(most // 14, 4)  # history games; one user's at the least
    asked.clear()
    matcher(embedding, HISTORIES, against)
    assert len(asked) == 2  # with gradients, parts would save nothing


def test_gradients_reach_every_parameter_and_are_finite(embedding, way):
    matcher = stirred(way[0](0.5), seed=1)
    matcher(embedding, HISTORIES, all_games(embedding))[:, 2:].square().sum().backward()
    for name, parameter in [*embedding.named_parameters(), *matcher.named_parameters()]:
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_gradients_equal_those_of_dense_tables(embedding, way):
    """Written with autograd over the dense table, without bags or unique."""
    matcher = stirred(way[0](0.5), seed=1)
    wanted, weight = {}, torch.randn(len(HISTORIES), embedding.num_ids, generator=torch.Generator().manual_seed(2))
    for kind in ("fast", "dense"):
        for module in (embedding, matcher):
            module.zero_grad()
        scores = matcher(embedding, HISTORIES, all_games(embedding)) if kind == "fast" else dense(matcher, embedding)
        (scores * weight)[:, 1:].sum().backward()
        grads = {n: p.grad.clone() for m in (embedding, matcher) for n, p in m.named_parameters()}
        wanted = wanted or grads
        for name, grad in grads.items():
            torch.testing.assert_close(grad, wanted[name], rtol=1e-4, atol=1e-5, msg=name)


def dense(matcher, embedding):
    table_VD = embedding.dense()
    real_BL = (HISTORIES != 0).float()
    if isinstance(matcher, MixtureMatch):
        evidence_BD = (table_VD[HISTORIES] * real_BL[..., None]).sum(1) * matcher.sharpness
        return (evidence_BD.log_softmax(1)[:, None] + table_VD.log_softmax(1)).logsumexp(2) + math.log(DIM)
    scale_B1 = real_BL.sum(1, keepdim=True).clamp(min=1) ** matcher.power
    query_BD = torch.tanh((table_VD[HISTORIES] * real_BL[..., None]).sum(1) / scale_B1)
    if isinstance(matcher, PoolMatch):
        return query_BD @ table_VD.T
    cut = DIM - matcher.match_dim
    near_BLV = ((table_VD[HISTORIES][..., cut:] * matcher.gain) @ table_VD[:, cut:].T).exp() * real_BL[..., None]
    return query_BD[:, :cut] @ table_VD[:, :cut].T + (near_BLV.sum(1) / scale_B1 + matcher.floor.exp()).log()


def test_likeness_too_great_for_exp_stays_finite(embedding):
    matcher = LogSumExpMatch(match_dim=4, power=0.0)
    with torch.no_grad():
        matcher.gain.fill_(1e6)
    history = HISTORIES[:1].repeat(1, 3000)
    scores = matcher(embedding, history, all_games(embedding))
    scores.sum().backward()
    assert scores.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in embedding.parameters())


def test_tastes_too_sure_stay_finite(embedding):
    matcher = MixtureMatch()
    with torch.no_grad():
        matcher.sharpness.fill_(1e6)
        for parameter in embedding.parameters():
            parameter.mul_(1e3)
    scores = matcher(embedding, HISTORIES, all_games(embedding))
    scores.sum().backward()
    assert scores.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in embedding.parameters())


def test_bf16_autocast_is_finite_and_close(embedding, way):
    matcher = stirred(way[0](0.5), seed=1)
    exact = matcher(embedding, HISTORIES, all_games(embedding))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = matcher(embedding, HISTORIES, all_games(embedding))
        scores.float().sum().backward()
    torch.testing.assert_close(scores.float(), exact, rtol=0.03, atol=0.05)
    assert all(parameter.grad.isfinite().all() for parameter in embedding.parameters())


@pytest.mark.parametrize("make", [lambda: PoolMatch(dropout=0.5), lambda: LogSumExpMatch(match_dim=3, dropout=0.5)])
def test_dropout_is_for_training(embedding, make):
    matcher = make()
    first, second = (matcher(embedding, HISTORIES, all_games(embedding)) for _ in range(2))
    assert not torch.equal(first, second)
    matcher.eval()
    first, second = (matcher(embedding, HISTORIES, all_games(embedding)) for _ in range(2))
    assert torch.equal(first, second)


def test_widths_that_do_not_fit_are_named(embedding):
    with pytest.raises(ConfigError, match="match_dim is 0"):
        LogSumExpMatch(match_dim=0)
    with pytest.raises(ConfigError, match=r"match_dim is 7\n  wanted: at most the embedding's dim, 6"):
        LogSumExpMatch(match_dim=7)(embedding, HISTORIES, all_games(embedding))


@pytest.mark.parametrize(("first", "width"), [(0, DIM), (0, 2), (2, DIM - 2), (1, 1)])
def test_a_query_for_some_components_scores_as_one_with_zeros_for_the_rest(embedding, first, width):
    values = torch.randn(3, width)
    whole = torch.zeros(3, DIM)
    whole[:, first : first + width] = values
    query = Query(values, first)
    assert torch.equal(query.whole(DIM), whole)
    torch.testing.assert_close(all_games(embedding)(query)[:, 1:], whole @ embedding.dense()[1:].T)
