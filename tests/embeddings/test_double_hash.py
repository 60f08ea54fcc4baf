import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import DoubleHash, NaiveHash


def test_few_games_share_both_rows():
    hashed = DoubleHash(2000, 8, budget_bytes=2 * 100 * 8 * 4)
    first, second = hashed._rows(torch.arange(1, 2000, dtype=torch.int32))
    assert len(first.unique()) == len(second.unique()) == 100
    assert len((first * 100 + second).unique()) > 1600
    assert len(NaiveHash(2000, 8, budget_bytes=2 * 100 * 8 * 4).dense().unique(dim=0)) == 201


def test_half_the_width_doubles_the_rows():
    added, joined = (DoubleHash(2000, 8, combine=combine, target_ratio=10) for combine in ("add", "concat"))
    assert (added.num_rows, joined.num_rows) == (100, 200)
    assert added.num_bytes == joined.num_bytes


def test_the_halves_come_from_their_own_tables():
    joined = DoubleHash(50, 8, combine="concat", target_ratio=2)
    with torch.no_grad():
        joined.first.rows_MW.zero_()
    assert (joined.dense()[:, :4] == 0).all()
    assert (joined.dense()[1:, 4:] != 0).all()


def test_a_row_in_each_table_is_the_least():
    assert DoubleHash(100, 8, budget_bytes=64).num_rows == 1
    with pytest.raises(BudgetError, match="combine: add cannot fit in 63 bytes") as caught:
        DoubleHash(100, 8, budget_bytes=63)
    assert caught.value.fix == "ask for less compression, or use Auto, or use NaiveHash"


def test_products_are_another_technique():
    with pytest.raises(ConfigError, match="one of add, concat"):
        DoubleHash(100, 8, combine="multiply", target_ratio=4)


def test_an_odd_width_has_no_halves():
    with pytest.raises(ConfigError, match="dim is 7"):
        DoubleHash(100, 7, combine="concat", target_ratio=2)
