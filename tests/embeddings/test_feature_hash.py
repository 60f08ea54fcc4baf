import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import FeatureHash


def test_games_of_a_bucket_are_equal_or_opposite_and_about_half_are_either():
    hashed = FeatureHash(500, 8, budget_bytes=5 * 8 * 4)
    signs = hashed._weights(torch.arange(1, 500, dtype=torch.int32))
    assert set(signs.flatten().tolist()) == {-1.0, 1.0}
    assert abs(signs.mean()) < 0.15
    assert len(hashed.dense()[1:].unique(dim=0)) == 10


def test_with_two_hashes_most_games_are_told_apart():
    hashed = FeatureHash(500, 8, num_hashes=2, budget_bytes=50 * 8 * 4)
    assert len(hashed.dense()[1:].unique(dim=0)) > 450


def test_signs_keep_sums_of_games_unbiased():
    """The reason for them: the length of a long history is about that without collisions, where naive sums grow."""
    torch.manual_seed(0)
    hashed = FeatureHash(2000, 64, budget_bytes=20 * 64 * 4)
    ids_BL = torch.stack([torch.randperm(1998)[:200] + 2 for _ in range(50)])
    lengths_B = hashed.pool(ids_BL, torch.ones(50, 200)).square().sum(dim=1)
    assert 0.6 < lengths_B.mean().item() / 200 < 1.4


def test_no_hash_is_refused():
    with pytest.raises(ConfigError, match="num_hashes is 0"):
        FeatureHash(100, 8, num_hashes=0, target_ratio=2)


def test_one_row_is_the_least():
    assert FeatureHash(100, 8, budget_bytes=32).num_rows == 1
    with pytest.raises(BudgetError, match="FeatureHash cannot fit"):
        FeatureHash(100, 8, budget_bytes=31)
