import pytest
import torch

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings import CompressedEmbedding, Full
from memcom_rank.embeddings.base import LookupEmbedding
from memcom_rank.embeddings.tables import Stored, initial_rows


class Toy(CompressedEmbedding):
    """One parameter, one stored map, one buffer that can be computed again."""

    def __init__(self, num_ids, dim):
        super().__init__(num_ids, dim)
        self.rows = initial_rows(2, dim)
        self.register_buffer("map", torch.zeros(num_ids, dtype=torch.uint8))
        self.register_buffer("codebook", torch.zeros(3, dtype=torch.float64))
        self.register_buffer("cache", torch.zeros(1000), persistent=False)

    def _pool(self, ids_BL, weights_BL):
        raise NotImplementedError

    def project(self, queries_BD):
        raise NotImplementedError

    def tiles(self, size):
        raise NotImplementedError


class HalfBytes(Stored):
    """Says itself that it stores its values in a byte for two."""

    def __init__(self, values):
        super().__init__()
        self.values = torch.nn.Parameter(torch.zeros(values))

    def at_rest(self):
        return {"codes": torch.zeros(len(self.values) // 2, dtype=torch.uint8)}


def test_a_part_that_stores_itself_is_counted_as_it_says():
    toy = Toy(10, 4)
    toy.part = HalfBytes(6)
    assert set(toy.at_rest()) == {"rows", "map", "codebook", "part.codes"}
    assert toy.num_bytes == 54 + 3


class Squares(LookupEmbedding):
    """Vectors made of two numbers per id, the second computed."""

    def __init__(self, num_ids, dim):
        super().__init__(num_ids, dim)
        self.first_V = torch.nn.Parameter(torch.randn(num_ids))

    def _vectors(self, ids_N):
        return torch.stack([self.first_V[ids_N], self.first_V[ids_N] ** 2], 1)


def test_lookups_make_each_id_of_a_batch_once():
    made = Squares(9, 2)
    asked = []
    whole = made._vectors
    made._vectors = lambda ids_N: asked.append(ids_N.tolist()) or whole(ids_N)
    ids_BL, weights_BL = torch.tensor([[4, 2, 4], [2, 0, 8]]), torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    found_BD = made.pool(ids_BL, weights_BL)
    assert asked == [[0, 2, 4, 8]]
    x = made.first_V
    first_B = torch.stack([4 * x[4] + 2 * x[2], 4 * x[2] + 6 * x[8]])
    second_B = torch.stack([4 * x[4] ** 2 + 2 * x[2] ** 2, 4 * x[2] ** 2 + 6 * x[8] ** 2])
    torch.testing.assert_close(found_BD, torch.stack([first_B, second_B], 1))


def test_bytes_count_stored_buffers_by_their_type_and_floats_as_fp32():
    toy = Toy(10, 4)
    assert toy.num_bytes == 2 * 4 * 4 + 10 * 1 + 3 * 4
    assert toy.full_bytes == 160
    assert toy.ratio == 160 / 54


@pytest.mark.parametrize(("num_ids", "dim"), [(2, 8), (0, 8), (3, 0), (3, -1)])
def test_no_game_or_no_width_is_refused(num_ids, dim):
    with pytest.raises(ConfigError, match="at least 3 ids"):
        Full(num_ids, dim)


def test_the_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        CompressedEmbedding(10, 4)
