"""Conformance of all techniques: files, exported and compiled graphs, narrow and wide floats, deterministic mode."""

import pytest
import torch
from torch import Tensor

from memcom_rank.embeddings import CompressedEmbedding
from tests.embeddings.techniques import DIM, NUM_IDS
from tests.embeddings.test_conformance import some_ids, some_weights


def test_state_survives_a_file(row, embedding, tmp_path):
    torch.save(embedding.state_dict(), tmp_path / "state.pt")
    other = row.make(NUM_IDS, DIM)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(other.dense(), embedding.dense())


@pytest.mark.parametrize("side", ["forward", "pool", "score"])
def test_export_matches_eager(embedding, side):
    module, inputs = _side(embedding, side)
    exported = torch.export.export(module, inputs).module()
    torch.testing.assert_close(exported(*inputs), module(*inputs))


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile warns at itself
@pytest.mark.parametrize(
    ("side", "backend"),
    [("pool", "inductor"), ("forward", "aot_eager"), ("score", "aot_eager")],  # the latter is quicker
)
def test_compile_matches_eager_forward_and_backward(embedding, side, backend):
    torch.compiler.reset()  # it gives up on a module that it has seen too often in other forms
    module, inputs = _side(embedding, side)
    wanted = module(*inputs)
    wanted.sum().backward()
    grads = [p.grad.clone() for p in embedding.parameters()]
    embedding.zero_grad()
    seen = torch.compile(module, fullgraph=True, backend=backend)(*inputs)
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


def test_gradcheck_of_pool(row, embedding):
    made = embedding.double()
    smooth = {name: p for name, p in made.named_parameters() if name not in row.rounded}
    ids_BL, weights_BL = some_ids(3, 5), some_weights(3, 5).double().requires_grad_()

    def pool(weights_BL: Tensor, *values: Tensor) -> Tensor:
        state = {f"inner.{name}": value for name, value in zip(smooth, values, strict=True)}
        return torch.func.functional_call(_Pool(made), state, (ids_BL, weights_BL))

    values = [p.detach().clone().requires_grad_() for p in smooth.values()]
    assert torch.autograd.gradcheck(pool, (weights_BL, *values))


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
