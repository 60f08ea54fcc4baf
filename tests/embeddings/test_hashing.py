import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memcom_rank.embeddings.hashing import PRIME, hash_constants, modulo, polynomial_hash, polynomial_hashes
from tests.embeddings import references

LARGEST = 2**31 - 1


def test_the_most_popular_games_get_a_row_each_and_the_unknown_id_the_last():
    assert modulo(torch.tensor([2, 3, 4, 5, 1]), 3).tolist() == [0, 1, 2, 0, 2]


def test_the_constants_never_change():
    """A checkpoint or an artifact from elsewhere holds rows that these constants find."""
    assert hash_constants(0) == (1178417665, 2026698597, 1735404324)
    assert hash_constants(1) == (604531258, 1515679676, 1533432063)
    assert all(0 < a < PRIME and b < PRIME and c < PRIME for a, b, c in map(hash_constants, range(100)))


@given(st.integers(0, LARGEST), st.integers(0, 40), st.integers(1, 10**7))
def test_a_hash_is_that_of_python_integers(number_id, number, size):
    ids = torch.tensor([number_id], dtype=torch.int32)
    assert polynomial_hash(ids, hash_constants(number), size).tolist() == [references.hashed(number_id, number, size)]


def some_ids() -> torch.Tensor:
    return torch.cat([torch.arange(3000), torch.tensor([10**6, 10**9, LARGEST - 1, LARGEST])])


@pytest.mark.parametrize("size", [1, 2, 61, 65_536, 10**6])
def test_a_hash_is_the_same_in_polars(size):
    a, b, c = hash_constants(3)
    id_ = pl.col("id")
    rows = ((a * id_ + b) % PRIME * id_ + c) % PRIME % size
    frame = pl.DataFrame({"id": some_ids().numpy()}).select(rows.alias("row"))
    assert frame["row"].to_list() == polynomial_hash(some_ids(), (a, b, c), size).tolist()


@pytest.mark.parametrize("size", [1, 2, 61, 10**6])
def test_the_modulo_is_the_same_in_polars(size):
    ids = some_ids()[1:]  # padding has no row there
    rows = ((pl.col("id") - 2) % size).alias("row")
    frame = pl.DataFrame({"id": ids.numpy()}).select(rows)
    assert frame["row"].to_list() == modulo(ids, size).tolist()


class _Hash(torch.nn.Module):
    constants = hash_constants(3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return polynomial_hash(ids, self.constants, 61)


class _Hashes(torch.nn.Module):
    functions = tuple(hash_constants(number) for number in (3, 0, 7))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.stack(polynomial_hashes(ids, self.functions, 61), -1)


def test_several_hashes_are_each_of_them():
    ids_MN = some_ids().view(2, -1)
    hashes_MNK = _Hashes()(ids_MN)
    assert torch.equal(hashes_MNK[..., 0], _Hash()(ids_MN))
    assert torch.equal(hashes_MNK[..., 2], polynomial_hash(ids_MN, hash_constants(7), 61))


@pytest.mark.parametrize("module", [_Hash(), _Hashes()])
def test_a_hash_is_the_same_in_an_exported_graph(module):
    ids = some_ids().int()
    exported = torch.export.export(module, (ids[:5],), dynamic_shapes=[{0: torch.export.Dim.DYNAMIC}]).module()
    assert torch.equal(exported(ids), module(ids))


class _Narrow(torch.fx.Interpreter):
    """Runs a graph, and refuses whole numbers of more than 32 bits."""

    def run_node(self, node: torch.fx.Node) -> object:
        assert all(abs(value) < 2**31 for value in node.args if isinstance(value, int)), node
        values = super().run_node(node)
        if isinstance(values, torch.Tensor) and values.numel():
            assert -(2**31) <= int(values.min()) <= int(values.max()) < 2**31, node
        return values


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of torch, about its own insides
@pytest.mark.parametrize("module", [_Hash(), _Hashes()])
def test_an_exported_graph_needs_no_more_than_32_bits(module):
    """Of Core ML's whole numbers there are no others."""
    ids = torch.cat([some_ids(), torch.randint(0, PRIME, (20_000,))]).int()
    program = torch.export.export(module, (ids,)).run_decompositions()
    found = _Narrow(program.graph_module).run(*program.constants.values(), ids)[-1]
    assert torch.equal(found, module(ids))


@pytest.mark.parametrize("size", [2, 100, 1000])
def test_rows_are_used_evenly(size):
    counts = torch.bincount(polynomial_hash(torch.arange(1, 20_001), hash_constants(5), size), minlength=size)
    chi_square = ((counts - 20_000 / size) ** 2).sum() * size / 20_000
    assert abs(chi_square - (size - 1)) < 4 * (2 * (size - 1)) ** 0.5 + 1


def test_two_hashes_seldom_agree_on_a_pair_of_ids():
    size, ids = 300, torch.arange(1, 5001)
    pairs = polynomial_hash(ids, hash_constants(0), size).long() * size + polynomial_hash(ids, hash_constants(1), size)
    shared = len(ids) - len(pairs.unique())
    expected = len(ids) ** 2 / 2 / size**2  # 139
    assert abs(shared - expected) < 4 * expected**0.5
