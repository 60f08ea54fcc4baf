import pytest
import torch

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings import CompressedEmbedding, Full
from memcom_rank.embeddings.base import initial_rows


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

    def score(self, queries_BD):
        raise NotImplementedError


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


def test_initial_rows_have_norm_one_whatever_the_width():
    torch.manual_seed(0)
    for dim in (4, 256):
        assert abs(initial_rows(4000, dim).square().sum(dim=1).mean().item() - 1) < 0.05
