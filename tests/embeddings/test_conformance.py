"""One suite for all techniques: a technique joins by one row in TECHNIQUES."""

import itertools
import random

import pytest
import torch
from torch import Tensor

from memcom_rank.embeddings import (
    CompressedEmbedding,
)
from memcom_rank.embeddings.block_top_k import BlockTopK
from memcom_rank.embeddings.shared_rows import SharedRowEmbedding
from memcom_rank.embeddings.top_k import ScanTopK
from tests.embeddings import references
from tests.embeddings.techniques import DIM, NUM_IDS


def toy_interactions(num_ids: int) -> tuple[Tensor, Tensor]:
    """Users of four groups, who own games of their group, popular ones more often."""
    draw = random.Random(5)
    pairs = [
        (user, game)
        for user in range(60)
        for game in range(2, num_ids)
        if game % 4 == user % 4 and draw.random() < 4 / (2 + game // 4)
    ]
    users_N, ids_N = (torch.tensor(column) for column in zip(*pairs, strict=True))
    return users_N, ids_N


def some_ids(*shape: int) -> Tensor:
    ids = torch.randint(0, NUM_IDS, shape, generator=torch.Generator().manual_seed(1))
    return ids.masked_fill(torch.rand(shape, generator=torch.Generator().manual_seed(2)) < 0.2, 0)


def some_weights(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (2, 3, 4), (0,), (0, 4), (4, 0)], ids=str)
def test_forward_equals_the_reference_for_every_shape_of_ids(embedding, table_VD, shape):
    ids = some_ids(*shape)
    torch.testing.assert_close(embedding(ids), table_VD[ids])


@pytest.mark.parametrize("shape", [(3, 5), (1, 1), (0, 5), (3, 0)], ids=str)
def test_pool_is_the_weighted_sum_of_the_reference(embedding, table_VD, shape):
    ids_BL, weights_BL = some_ids(*shape), some_weights(*shape)
    wanted_BD = (table_VD[ids_BL] * weights_BL.unsqueeze(-1)).sum(dim=1)
    torch.testing.assert_close(embedding.pool(ids_BL, weights_BL), wanted_BD)


@pytest.mark.parametrize("weight", [1.0, float("inf"), float("nan")])
def test_padding_adds_nothing_whatever_its_weight(embedding, weight):
    ids_BL = torch.tensor([[5, 0, 7], [0, 0, 0]])
    weights_BL = torch.tensor([[1.0, weight, 1.0], [weight] * 3], requires_grad=True)
    pooled_BD = embedding.pool(ids_BL, weights_BL)
    torch.testing.assert_close(pooled_BD[0], embedding(torch.tensor([5, 7])).sum(dim=0))
    assert (pooled_BD[1] == 0).all()
    pooled_BD.sum().backward()
    assert (weights_BL.grad[ids_BL == 0] == 0).all()


def test_padding_gets_no_gradient(embedding):
    ids_BL = torch.zeros(2, 3, dtype=torch.int64)
    (embedding.pool(ids_BL, torch.ones(2, 3)).sum() + embedding(ids_BL).sum()).backward()
    assert all((p.grad == 0).all() for p in embedding.parameters())
    embedding.zero_grad()
    embedding.score(torch.ones(2, DIM))[:, 0].sum().backward()
    assert all(p.grad is None or (p.grad == 0).all() for p in embedding.parameters())


def test_score_is_queries_times_the_reference(embedding, table_VD):
    queries_BD = torch.randn(3, DIM)
    torch.testing.assert_close(embedding.score(queries_BD), queries_BD @ table_VD.T)
    assert embedding.score(queries_BD[:0]).shape == (0, NUM_IDS)


def test_dense_is_the_reference(embedding, table_VD):
    torch.testing.assert_close(embedding.dense(), table_VD)


@pytest.mark.parametrize("size", [1, 7, NUM_IDS - 1, NUM_IDS, 100])
def test_tiles_are_the_scores_in_parts_and_so_are_their_gradients(embedding, table_VD, size):
    queries_BD = some_weights(4, DIM).requires_grad_()
    projected_BS = embedding.project(queries_BD)
    parts = [tile(projected_BS) for tile in embedding.tiles(size)]
    assert {part.shape[1] for part in parts[:-1]} <= {size}
    scores_BV = torch.cat(parts, 1)
    torch.testing.assert_close(scores_BV, queries_BD @ table_VD[1:].T)
    weights_BV = torch.randn(scores_BV.shape, generator=torch.Generator().manual_seed(1))
    (scores_BV * weights_BV).sum().backward()
    found = [queries_BD.grad.clone(), *(parameter.grad.clone() for parameter in embedding.parameters())]
    embedding.zero_grad()
    queries_BD.grad = None
    (embedding.score(queries_BD)[:, 1:] * weights_BV).sum().backward()
    for own, value in zip(found, [queries_BD, *embedding.parameters()], strict=True):
        torch.testing.assert_close(own, value.grad)


@pytest.mark.parametrize("biased", [False, True])
def test_the_best_games_are_those_of_dense_scores_sorted(embedding, biased):
    torch.manual_seed(4)
    queries_BD, seen_BL = torch.randn(6, DIM), some_ids(6, 9)
    bias_V = torch.randn(NUM_IDS) if biased else None
    indexes = [ScanTopK(embedding, bias_V)]
    if isinstance(embedding, SharedRowEmbedding):
        indexes.append(BlockTopK(embedding, bias_V))
    scores_BV = embedding.score(queries_BD) if bias_V is None else embedding.score(queries_BD) + bias_V
    for index, k in itertools.product(indexes, (1, 10, NUM_IDS)):
        ids_Bk, scores_Bk = index(queries_BD, seen_BL, k)
        wanted_ids_Bk, wanted_Bk = references.best_games(scores_BV, seen_BL, k)
        assert torch.equal(ids_Bk, wanted_ids_Bk)
        torch.testing.assert_close(scores_Bk, wanted_Bk)


@pytest.mark.parametrize("side", ["pool", "forward", "score"])
def test_gradients_equal_those_of_the_reference(row, embedding, side):
    ids_BL, weights_BL, queries_BD = some_ids(4, 9), some_weights(4, 9), some_weights(4, DIM)
    if not row.rounded:  # in double, where the order of sums does not show
        embedding, weights_BL, queries_BD = embedding.double(), weights_BL.double(), queries_BD.double()
    state = {name: p.detach().clone() for name, p in embedding.state_dict().items()}
    for name, _ in embedding.named_parameters():
        state[name].requires_grad_()
    slow_VD = row.table(embedding, state)
    if side == "pool":
        fast, slow = embedding.pool(ids_BL, weights_BL), (slow_VD[ids_BL] * weights_BL.unsqueeze(-1)).sum(dim=1)
    elif side == "forward":
        fast, slow = embedding(ids_BL), slow_VD[ids_BL]
    else:
        fast, slow = embedding.score(queries_BD), queries_BD @ slow_VD.T
    grad = torch.randn_like(slow)
    fast.backward(grad)
    slow.backward(grad)
    for name, parameter in embedding.named_parameters():
        torch.testing.assert_close(
            parameter.grad, state[name].grad, msg=lambda text, name=name: f"{name}: {text}", **row.close
        )


def test_a_gradient_reaches_every_value_but_padding(row):
    made = row.make(NUM_IDS, DIM)  # as a training starts, not moved away
    made(torch.arange(NUM_IDS)).square().sum().backward()
    for name, parameter in made.named_parameters():
        wanted = ~row.unused(made).get(name, torch.zeros_like(parameter, dtype=torch.bool))
        if NUM_IDS in parameter.shape:
            wanted.select(parameter.shape.index(NUM_IDS), 0).fill_(False)  # padding
        rows = wanted.view(len(wanted), -1).any(dim=1)
        used = rows & (parameter.grad != 0).view(len(wanted), -1).any(dim=1)  # a hash may leave a few rows without ids
        assert torch.equal((parameter.grad != 0)[used], wanted[used]), name
        assert used.sum() > 0.6 * rows.sum(), name


def test_one_step_leaves_no_parameter_without_a_gradient(row):
    """Several processes would wait for it."""
    made = row.make(NUM_IDS, DIM)
    queries_BD = made.pool(torch.tensor([[2, 0]]), torch.ones(1, 2))
    made.score(queries_BD).sum().backward()
    assert [name for name, parameter in made.named_parameters() if parameter.grad is None] == []


def test_pool_is_the_weighted_sum_of_forward(embedding):
    ids_BL, weights_BL = some_ids(3, 5), some_weights(3, 5)
    wanted_BD = (embedding(ids_BL) * weights_BL.unsqueeze(-1)).sum(dim=1)
    torch.testing.assert_close(embedding.pool(ids_BL, weights_BL), wanted_BD)


def test_same_seed_same_weights_and_another_seed_others(row):
    def state(seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        return list(row.make(NUM_IDS, DIM).state_dict().values())

    assert all(torch.equal(a, b) for a, b in zip(state(1), state(1), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(state(1), state(2), strict=True))


def test_all_techniques_start_at_the_same_scale(row):
    torch.manual_seed(0)
    norms = row.make(2000, 64).dense()[1:].norm(dim=1)
    assert abs(norms.mean().item() - 1) < 0.05


def test_what_start_learns_is_used_stored_and_the_same_under_the_same_seed(row):
    def started() -> CompressedEmbedding:
        torch.manual_seed(0)
        made = row.make(NUM_IDS, DIM)
        made.start(*toy_interactions(NUM_IDS))
        return made

    made, before = started(), row.make(NUM_IDS, DIM)
    table_VD, queries_BD = row.table(made), some_weights(3, DIM)
    torch.testing.assert_close(made.dense(), table_VD)
    torch.testing.assert_close(made.score(queries_BD), queries_BD @ table_VD.T)
    assert 0.5 < made.dense()[1:].square().sum(dim=1).mean().item() < 2
    assert torch.equal(started().dense(), made.dense())
    assert made.num_bytes <= before.num_bytes * 1.05
    before.load_state_dict(made.state_dict())
    assert torch.equal(before.dense(), made.dense())
