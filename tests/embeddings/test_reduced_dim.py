import pytest
import torch

from memcom_rank.contract.errors import BudgetError
from memcom_rank.embeddings import ReducedDim


def test_vectors_end_in_zeros_and_queries_are_cut():
    narrow = ReducedDim(50, 16, target_ratio=3)
    assert narrow.width == 5
    assert (narrow.dense()[:, 5:] == 0).all()
    assert (narrow.dense()[1:, :5] != 0).all()
    queries_BD = torch.randn(3, 16)
    changed_BD = torch.cat([queries_BD[:, :5], torch.randn(3, 11)], dim=1)
    assert torch.equal(narrow.score(queries_BD), narrow.score(changed_BD))


def test_the_whole_width_is_the_full_table():
    assert ReducedDim(50, 16, target_ratio=1).ratio == 1


def test_fewer_than_one_number_per_id_is_refused_and_what_shares_rows_named():
    assert ReducedDim(1000, 16, target_ratio=16).width == 1
    with pytest.raises(BudgetError, match="use Truncated, or use Auto, or use NaiveHash"):
        ReducedDim(1000, 16, target_ratio=17)


def test_the_padding_row_is_zero():
    assert (ReducedDim(50, 16, target_ratio=2).table()[0] == 0).all()
