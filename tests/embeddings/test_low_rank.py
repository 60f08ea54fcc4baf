import pytest
import torch

from memcom_rank.contract.errors import BudgetError
from memcom_rank.embeddings import LowRank


def test_all_vectors_lie_in_as_many_dimensions_as_the_rank():
    thin = LowRank(100, 16, target_ratio=4)
    assert thin.rank == 3
    assert torch.linalg.matrix_rank(thin.dense().double(), tol=1e-4) == 3


@pytest.mark.parametrize(("num_ids", "dim", "rank"), [(100, 8, 8), (5, 8, 4)])
def test_a_rank_beyond_that_of_the_table_is_not_made(num_ids, dim, rank):
    assert LowRank(num_ids, dim, budget_bytes="1MB").rank == rank


def test_the_ratio_ceiling():
    assert 15.8 < LowRank(5000, 16, target_ratio=15.8).ratio < 16
    with pytest.raises(BudgetError, match="use Truncated, or use Auto, or use NaiveHash"):
        LowRank(5000, 16, target_ratio=16)


def test_a_score_takes_a_product_of_narrow_vectors():
    thin = LowRank(100, 16, target_ratio=4)
    assert thin.project(torch.randn(2, 16)).shape == (2, 3)
    assert (thin.factors()[0] == 0).all()
