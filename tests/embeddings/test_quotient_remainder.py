from math import isqrt

import pytest
import torch

from memcom_rank.contract.errors import BudgetError
from memcom_rank.embeddings import QuotientRemainder


@pytest.mark.parametrize("combine", ["multiply", "add", "concat"])
@pytest.mark.parametrize("num_ids", [3, 26, 27, 200])
def test_no_two_ids_have_the_same_vector(combine, num_ids):
    for budget in ("1MB", num_ids * 8 * 4, (2 * isqrt(num_ids) + 2) * 8 * 4):
        made = QuotientRemainder(num_ids, 8, combine=combine, budget_bytes=budget)
        assert len(made.dense().unique(dim=0)) == num_ids


def test_the_larger_of_the_two_tables_holds_remainders():
    made = QuotientRemainder(1001, 8, budget_bytes=110 * 8 * 4)
    assert (made.first.num_rows, made.second.num_rows) == (10, 100)
    assert made.num_rows == 100


@pytest.mark.parametrize("count", range(2, 40))
def test_the_smallest_is_the_smallest_of_all_divisors(count):
    fewest = min(m + -(-count // m) for m in range(1, count + 1))
    assert QuotientRemainder(count + 1, 1, budget_bytes=fewest * 4).num_bytes == fewest * 4
    with pytest.raises(BudgetError, match=f"at least {fewest * 4} bytes"):
        QuotientRemainder(count + 1, 1, budget_bytes=fewest * 4 - 1)


def test_what_goes_further_is_named():
    with pytest.raises(BudgetError, match="use QuotientRemainder with combine: concat, or use Auto, or use NaiveHash"):
        QuotientRemainder(1000, 16, target_ratio=16)
    with pytest.raises(BudgetError, match="or use Auto"):  # an odd width has no halves
        QuotientRemainder(1000, 15, target_ratio=16)
    with pytest.raises(BudgetError, match="or use Auto"):
        QuotientRemainder(17, 64, combine="concat", target_ratio=16)


def test_a_budget_for_a_row_per_id_leaves_one_quotient():
    made = QuotientRemainder(50, 8, budget_bytes="1MB")
    assert (made.first.num_rows, made.second.num_rows) == (1, 49)
    assert made.ratio == 1


def test_rows_stay_inside_for_padding():
    first, second = QuotientRemainder(50, 8, target_ratio=2)._rows(torch.tensor([0], dtype=torch.int32))
    assert (first.item(), second.item()) == (0, 0)
