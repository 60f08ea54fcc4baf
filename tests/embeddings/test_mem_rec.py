import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import MemRec


def test_games_of_a_row_are_told_apart_without_a_number_per_game():
    made = MemRec(1000, 8, target_ratio=30)
    assert made.num_rows == 25
    table_VD = made.dense()
    assert len(table_VD.unique(dim=0)) > 450  # of the 625 pairs of rows
    with torch.no_grad():
        made.scales.values_N.uniform_(0.5, 1.5)
    assert len(made.dense().unique(dim=0)) > 950


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9])
def test_scalars_get_their_share_of_the_bytes(share):
    made = MemRec(100_000, 16, scale_share=share, target_ratio=100)
    scalars = made.num_scales * 4 / made.num_bytes
    assert scalars == pytest.approx(share, abs=0.01)
    assert 100 <= made.ratio < 101


def test_neither_table_outgrows_the_catalogue():
    made = MemRec(10, 4, scale_share=0.9, budget_bytes="1MB")
    assert (made.num_rows, made.num_scales) == (9, 9)


@pytest.mark.parametrize("knobs", [{"num_hashes": 0}, {"num_scale_hashes": 0}, {"scale_share": 1}])
def test_knobs_out_of_range_are_refused(knobs):
    with pytest.raises(ConfigError, match=next(iter(knobs))):
        MemRec(100, 8, target_ratio=2, **knobs)


def test_less_than_a_row_and_a_scalar_is_refused():
    assert MemRec(100, 8, budget_bytes=48).num_rows == 1  # a quarter of three rows' worth: 8 values and 2
    with pytest.raises(BudgetError, match=r"at least 40 bytes(.|\n)*Auto"):
        MemRec(100, 8, budget_bytes=39)
