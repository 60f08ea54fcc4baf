import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import LearnedHash, NaiveHash
from tests.embeddings.groups import grouped_games


def started(seed: int = 0, **knobs) -> LearnedHash:
    torch.manual_seed(seed)
    made = LearnedHash(22, 8, num_factors=4, **knobs)
    made.start(*grouped_games(groups=4))
    return made


def test_games_of_the_same_users_share_a_row_and_no_other_games_do():
    rows = started(budget_bytes=4 * 8 * 4 + 6).row_of(torch.arange(2, 22)).view(5, 4)  # game g is of group g mod 4
    assert (rows == rows[0]).all()
    assert sorted(rows[0].tolist()) == [0, 1, 2, 3]


def test_only_the_map_is_learned_ahead():
    torch.manual_seed(0)
    before = LearnedHash(22, 8, num_factors=4, target_ratio=3)
    assert torch.equal(started(target_ratio=3).rows(), before.rows())


def test_ids_that_nobody_has_stay_where_the_modulo_put_them():
    made = LearnedHash(30, 8, num_factors=4, target_ratio=3)
    made.start(*grouped_games(groups=4))
    nobody = torch.tensor([0, 1, *range(22, 30)])
    assert torch.equal(made.row_of(nobody)[:, 0], nobody % made.num_rows)


def test_the_map_is_paid_for():
    limit = NaiveHash(1000, 16, target_ratio=16).num_bytes
    made = LearnedHash(1000, 16, budget_bytes=limit)
    assert made.num_rows < 1000 // 16
    assert limit - 16 * 4 < made.num_bytes <= limit
    assert made.at_rest()["row_of.codes"].nbytes == 1000 * 6 // 8


def test_a_width_of_factors_below_one_is_refused():
    with pytest.raises(ConfigError, match="num_factors is 0"):
        LearnedHash(22, 8, num_factors=0, target_ratio=4)


def test_a_map_that_does_not_fit_is_refused():
    with pytest.raises(BudgetError, match=r"at least 189 bytes(.|\n)*Auto"):
        LearnedHash(1000, 16, budget_bytes=150)
