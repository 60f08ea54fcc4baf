"""One suite for all techniques: a technique joins by one row in TECHNIQUES."""

import math
import random
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import partial

import pytest
import torch
from torch import Tensor

from memcom_rank.embeddings import (
    Amtl,
    CompressedEmbedding,
    DeepHash,
    Full,
    LearnedHash,
    Mec,
    MEmCom,
    MemRec,
    MixedPrecision,
    NaiveHash,
)
from tests.embeddings import references

NUM_IDS, DIM = 41, 8


@dataclass
class Row:
    """make: (num_ids, dim) -> technique; reference: (state, id) -> vector; num_bytes: (v, e, m), as in the docs.

    size: the attribute that is m; rounded: parameters whose gradient passes straight through a rounding; unused: by
    parameter, the values that are not stored and get no gradient.
    """

    make: Callable[[int, int], CompressedEmbedding]
    reference: Callable[[dict[str, Tensor], int], Tensor]
    num_bytes: Callable[[int, int, int], int]
    overlay: str
    size: str = "num_rows"
    rounded: Container[str] = ()
    unused: Callable[[CompressedEmbedding], dict[str, Tensor]] = field(default=lambda made: {})


TECHNIQUES = {
    "Full": Row(Full, references.full, lambda v, e, m: 4 * v * e, "full"),
    "NaiveHash": Row(
        partial(NaiveHash, target_ratio=3), references.naive_hash, lambda v, e, m: 4 * m * e, "naive_hash"
    ),
    "MEmCom": Row(
        partial(MEmCom, target_ratio=2), references.memcom, lambda v, e, m: 4 * (m * e + 2 * v), "memcom"
    ),
    "MEmCom without bias": Row(
        partial(MEmCom, bias=False, target_ratio=2), references.memcom, lambda v, e, m: 4 * (m * e + v), "memcom"
    ),
    "MemRec": Row(
        partial(MemRec, target_ratio=2.5),
        references.mem_rec,
        lambda v, e, m: 4 * (m * e + m * e // 3),  # a quarter are scalars
        "mem_rec",
    ),
    "MemRec of three hashes and one": Row(
        partial(MemRec, num_hashes=3, num_scale_hashes=1, scale_share=0.5, target_ratio=2),
        partial(references.mem_rec, rows_per_id=3, scales_per_id=1),
        lambda v, e, m: 4 * (m * e + min(m * e, v - 1)),
        "mem_rec",
    ),
    "LearnedHash": Row(
        partial(LearnedHash, num_factors=4, target_ratio=2.5),
        references.learned_hash,
        lambda v, e, m: 4 * m * e + -(-v * math.ceil(math.log2(m)) // 8),
        "learned_hash",
    ),
    "Mec": Row(
        partial(Mec, num_codebooks=4, target_ratio=2),
        references.mec,
        lambda v, e, m: 4 * m * e + -(-v * 4 * math.ceil(math.log2(m)) // 8),
        "mec",
        size="num_codewords",
    ),
    "Amtl": Row(
        partial(Amtl, target_ratio=2),
        partial(references.amtl, num_values=(NUM_IDS * DIM * 2 - 32 * 6) // 4),
        lambda v, e, m: 4 * m + 6 * min(v - 1, 32),
        "amtl",
        size="num_unmasked",
        rounded={f"prefixes.networks.{n}.{k}.{p}" for n in (0, 1) for k in (0, 2) for p in ("weight", "bias")},
        unused=lambda made: {"prefixes.rows_MD": made.dense()[1:] == 0},
    ),
    "MixedPrecision": Row(  # in evaluation: training rounds at random
        lambda v, e: MixedPrecision(v, e, bits=8, target_ratio=2).eval(),
        partial(references.mixed_precision, bits=8),
        lambda v, e, m: 4 * m * e + (v - 1 - m) * (e + 2),
        "mixed_precision",
        rounded={"low.latent_MD"},
    ),
    "DeepHash": Row(
        partial(DeepHash, num_hashes=5, num_layers=2, target_ratio=1.1),
        references.deep_hash,
        lambda v, e, m: 4 * (6 * m + (m + 1) * m + (m + 1) * e),
        "deep_hash",
        size="num_units",
    ),
}  # fmt: skip


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


@pytest.fixture(params=TECHNIQUES.values(), ids=TECHNIQUES.keys())
def row(request: pytest.FixtureRequest) -> Row:
    return request.param


@pytest.fixture
def embedding(row: Row) -> CompressedEmbedding:
    """A technique with every parameter away from its start, so that no term hides behind a 0 or 1."""
    torch.manual_seed(0)
    made = row.make(NUM_IDS, DIM)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter))
    return made


@pytest.fixture
def table_VD(row: Row, embedding: CompressedEmbedding) -> Tensor:
    return references.table(row.reference, embedding.state_dict(), NUM_IDS)


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


@pytest.mark.parametrize("side", ["pool", "forward", "score"])
def test_gradients_equal_those_of_the_reference(row, embedding, side):
    ids_BL, weights_BL, queries_BD = some_ids(4, 9), some_weights(4, 9), some_weights(4, DIM)
    state = {name: value.clone() for name, value in embedding.state_dict().items()}
    for name, _ in embedding.named_parameters():
        state[name].requires_grad_()
    slow_VD = references.table(row.reference, state, NUM_IDS)
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
        # what is rounded may hang on a number that is found in two ways
        close = {"rtol": 1e-3, "atol": 1e-3} if name in row.rounded else {}
        torch.testing.assert_close(
            parameter.grad, state[name].grad, msg=lambda text, name=name: f"{name}: {text}", **close
        )


def test_a_gradient_reaches_every_value_but_padding(row):
    made = row.make(NUM_IDS, DIM)  # as a training starts, not moved away
    made(torch.arange(NUM_IDS)).square().sum().backward()
    for name, parameter in made.named_parameters():
        wanted = ~row.unused(made).get(name, torch.zeros_like(parameter, dtype=torch.bool))
        if len(parameter) == NUM_IDS:
            wanted[0] = False  # padding
        assert torch.equal(parameter.grad != 0, wanted), name


def test_gradcheck_of_pool(row, embedding):
    made = embedding.double()
    smooth = {name: p for name, p in made.named_parameters() if name not in row.rounded}
    ids_BL, weights_BL = some_ids(3, 5), some_weights(3, 5).double().requires_grad_()

    def pool(weights_BL: Tensor, *values: Tensor) -> Tensor:
        state = {f"inner.{name}": value for name, value in zip(smooth, values, strict=True)}
        return torch.func.functional_call(_Pool(made), state, (ids_BL, weights_BL))

    values = [p.detach().clone().requires_grad_() for p in smooth.values()]
    assert torch.autograd.gradcheck(pool, (weights_BL, *values))


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


def test_state_survives_a_file(row, embedding, tmp_path):
    torch.save(embedding.state_dict(), tmp_path / "state.pt")
    other = row.make(NUM_IDS, DIM)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(other.dense(), embedding.dense())


def test_bytes_equal_the_closed_form_and_what_a_file_would_hold(row, embedding):
    size = getattr(embedding, row.size, 0)
    assert embedding.num_bytes == row.num_bytes(NUM_IDS, DIM, size)
    assert embedding.full_bytes == NUM_IDS * DIM * 4
    assert embedding.ratio == embedding.full_bytes / embedding.num_bytes
    assert embedding.double().num_bytes == row.num_bytes(NUM_IDS, DIM, size)  # fp32 at rest, whatever it runs in


def test_what_start_learns_is_used_stored_and_the_same_under_the_same_seed(row):
    def started() -> CompressedEmbedding:
        torch.manual_seed(0)
        made = row.make(NUM_IDS, DIM)
        made.start(*toy_interactions(NUM_IDS))
        return made

    made, before = started(), row.make(NUM_IDS, DIM)
    table_VD, queries_BD = references.table(row.reference, made.state_dict(), NUM_IDS), some_weights(3, DIM)
    torch.testing.assert_close(made.dense(), table_VD)
    torch.testing.assert_close(made.score(queries_BD), queries_BD @ table_VD.T)
    assert 0.5 < made.dense()[1:].square().sum(dim=1).mean().item() < 2
    assert torch.equal(started().dense(), made.dense())
    assert made.num_bytes <= before.num_bytes * 1.05
    before.load_state_dict(made.state_dict())
    assert torch.equal(before.dense(), made.dense())


@pytest.mark.parametrize("side", ["forward", "pool", "score"])
def test_export_matches_eager(embedding, side):
    module, inputs = _side(embedding, side)
    exported = torch.export.export(module, inputs).module()
    torch.testing.assert_close(exported(*inputs), module(*inputs))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile warns at itself
def test_compile_matches_eager_forward_and_backward(embedding):
    module, inputs = _side(embedding, "pool")
    wanted = module(*inputs)
    wanted.sum().backward()
    grads = [p.grad.clone() for p in embedding.parameters()]
    embedding.zero_grad()
    seen = torch.compile(module, fullgraph=True)(*inputs)
    seen.sum().backward()
    torch.testing.assert_close(seen, wanted)
    torch.testing.assert_close([p.grad for p in embedding.parameters()], grads)


def test_bf16_autocast_is_finite_and_close(embedding, table_VD):
    queries_BD = torch.randn(3, DIM)
    ids_BL, weights_BL = some_ids(3, 5), some_weights(3, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled_BD, scores_BV = embedding.pool(ids_BL, weights_BL.bfloat16()), embedding.score(queries_BD)
        (pooled_BD.sum() + scores_BV.sum()).backward()
    assert all(p.grad.isfinite().all() for p in embedding.parameters())
    torch.testing.assert_close(scores_BV.float(), queries_BD @ table_VD.T, rtol=0.05, atol=0.2)


def test_a_bf16_module_stays_bf16(embedding):
    made = embedding.bfloat16()
    assert made(some_ids(3)).dtype == made.score(torch.randn(2, DIM).bfloat16()).dtype == torch.bfloat16
    assert made.pool(some_ids(3, 5), some_weights(3, 5)).dtype == torch.bfloat16


def test_deterministic_mode_trains(embedding):
    torch.use_deterministic_algorithms(True)
    try:
        loss = embedding.pool(some_ids(3, 5), some_weights(3, 5)).sum() + embedding.score(torch.ones(2, DIM)).sum()
        (loss + embedding(some_ids(3, 5)).sum()).backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(p.grad is not None for p in embedding.parameters())


def test_one_game_and_a_wide_vector(row):
    made = row.make(3, 16)
    assert made.dense().shape == (3, 16)
    assert made.score(torch.ones(1, 16)).shape == (1, 3)


class _Pool(torch.nn.Module):
    def __init__(self, inner: CompressedEmbedding) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        return self.inner.pool(ids_BL, weights_BL)


class _Score(_Pool):
    def forward(self, queries_BD: Tensor) -> Tensor:
        return self.inner.score(queries_BD)


def _side(embedding: CompressedEmbedding, side: str) -> tuple[torch.nn.Module, tuple[Tensor, ...]]:
    if side == "forward":
        return embedding, (some_ids(3, 5),)
    return (
        (_Pool(embedding), (some_ids(3, 5), some_weights(3, 5)))
        if side == "pool"
        else (_Score(embedding), (some_weights(3, DIM),))
    )
