import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import HashEmbedding


def test_the_first_step_is_a_plain_sum_of_hashes():
    made = HashEmbedding(100, 8, num_hashes=3, target_ratio=2)
    rows = made._rows(torch.arange(1, 100, dtype=torch.int32))
    torch.testing.assert_close(made.dense()[1:], made.rows.rows_MW[rows].sum(dim=1) / 3**0.5)


def test_games_that_share_all_rows_weigh_them_differently():
    made = HashEmbedding(300, 8, budget_bytes=300 * 2 * 4 + 3 * 8 * 4)
    assert made.num_rows == 3
    assert len(made.dense()[1:].unique(dim=0)) <= 9
    with torch.no_grad():
        for weights in made.weights:
            weights.values_N.add_(torch.randn(300))
    assert len(made.dense()[1:].unique(dim=0)) == 299


@pytest.mark.parametrize("num_hashes", [1, 2, 4])
def test_the_ratio_ceiling(num_hashes):
    ceiling = 64 / num_hashes
    made = HashEmbedding(500_000, 64, num_hashes=num_hashes, target_ratio=0.99 * ceiling)
    assert 0.99 * ceiling < made.ratio < ceiling


def test_beyond_it_what_goes_further_is_named():
    with pytest.raises(BudgetError, match="num_hashes: 2 cannot fit") as caught:
        HashEmbedding(1000, 16, target_ratio=8)
    assert caught.value.fix.endswith("use MEmCom with bias: false, or use Auto, or use NaiveHash")


def test_no_hash_is_refused():
    with pytest.raises(ConfigError, match="num_hashes is 0"):
        HashEmbedding(100, 8, num_hashes=0, target_ratio=2)
