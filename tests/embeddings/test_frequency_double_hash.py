import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import FrequencyDoubleHash


def test_popular_games_have_their_own_row_and_rare_ones_two():
    made = FrequencyDoubleHash(200, 8, own_share=0.5, budget_bytes=40 * 8 * 4)
    assert (made.num_own, made.num_hashed) == (20, 10)
    assert torch.equal(made(torch.arange(2, 22)), made.rows.rows_MW[:20])
    with torch.no_grad():
        made.rows.rows_MW[:20].zero_()
    table_VD = made.dense()
    assert (table_VD[2:22] == 0).all()
    assert (table_VD[22:] != 0).any(dim=1).all()
    assert (table_VD[1] != 0).any()


def test_rare_games_take_a_row_of_each_hashed_table():
    made = FrequencyDoubleHash(2000, 8, budget_bytes=40 * 8 * 4)
    rows_N2 = made._rows(torch.arange(22, 2000, dtype=torch.int32))
    assert rows_N2[:, 0].unique().tolist() == list(range(20, 30))
    assert rows_N2[:, 1].unique().tolist() == list(range(30, 40))


@pytest.mark.parametrize(
    ("own_share", "rows", "own"), [(0, 40, 2), (0, 41, 1), (0.25, 40, 10), (0.9, 40, 36), (1, 40, 38), (0.5, 3, 1)]
)
def test_the_share_divides_all_rows_and_leaves_none_idle(own_share, rows, own):
    made = FrequencyDoubleHash(200, 8, own_share=own_share, budget_bytes=rows * 8 * 4)
    assert made.num_own == own
    assert made.num_own + 2 * made.num_hashed == rows == made.num_rows


def test_not_more_rows_than_the_full_table():
    made = FrequencyDoubleHash(50, 8, own_share=1, budget_bytes="1MB")
    assert (made.num_own, made.num_hashed) == (48, 1)
    assert made.ratio == 1


def test_three_rows_are_the_least_and_what_goes_further_is_named():
    with pytest.raises(BudgetError, match="at least 96 bytes") as caught:
        FrequencyDoubleHash(50, 8, budget_bytes=95)
    assert caught.value.fix == "ask for less compression, or use DoubleHash, or use Auto, or use NaiveHash"


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ConfigError, match="own_share is"):
        FrequencyDoubleHash(50, 8, own_share=share, target_ratio=2)
