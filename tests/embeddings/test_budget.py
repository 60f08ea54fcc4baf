from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import DeepHash, MEmCom, NaiveHash
from memcom_rank.embeddings.budget import largest_size, limit_bytes

ONLY = {"table": (25, 10)}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(0, 1000))
def test_largest_size_is_what_trying_every_size_finds(steps, limit):
    sizes = [sum(steps[: i + 1]) for i in range(len(steps))]  # bytes of size 1, 2, ...; never falling
    fitting = [size for size in range(1, len(sizes) + 1) if sizes[size - 1] <= limit]

    def solve() -> int:
        return largest_size("X", lambda size: sizes[size - 1], limit, at_most=len(sizes), **ONLY)

    if fitting:
        assert solve() == max(fitting)
    else:
        with pytest.raises(BudgetError):
            solve()


@given(st.integers(3, 3000), st.integers(1, 64), st.floats(1, 200), st.sampled_from([None, False, True]))
def test_the_ratio_keeps_its_promise_and_one_more_row_would_break_it(num_ids, dim, target, bias):
    values_per_id = 0 if bias is None else 1 + bias
    limit = Fraction(num_ids * dim * 4) / Fraction(target)

    def size(rows: int) -> int:
        return 4 * (rows * dim + values_per_id * num_ids)

    def make() -> MEmCom | NaiveHash:
        if bias is None:
            return NaiveHash(num_ids, dim, target_ratio=target)
        return MEmCom(num_ids, dim, bias=bias, target_ratio=target)

    if size(1) > limit:
        with pytest.raises(BudgetError):
            make()
        return
    made = make()
    assert made.ratio >= target
    assert made.num_bytes == size(made.num_rows)
    assert size(made.num_rows + 1) > limit or made.num_rows == num_ids - 1


@pytest.mark.parametrize(
    ("budget", "wanted"),
    [
        (500, 500),
        ("500", 500),
        ("2MB", 2_000_000),
        ("1.5 MB", 1_500_000),
        ("500kB", 500_000),
        ("1GB", 10**9),
        ("7B", 7),
    ],
)
def test_budgets_are_read_in_powers_of_ten(budget, wanted):
    assert limit_bytes(10, 4, target_ratio=None, budget_bytes=budget) == wanted


@pytest.mark.parametrize("budget", ["2MiB", "2mb", "two", "-5", "", 0, -1, "0MB", "1e6", True])
def test_a_budget_that_cannot_be_read_is_refused(budget):
    with pytest.raises(ConfigError, match="budget_bytes is"):
        limit_bytes(10, 4, target_ratio=None, budget_bytes=budget)


@pytest.mark.parametrize("ratio", [0.0, 0.99, -3.0, float("inf"), float("nan")])
def test_a_ratio_out_of_range_is_refused(ratio):
    with pytest.raises(ConfigError, match="target_ratio is"):
        limit_bytes(10, 4, target_ratio=ratio, budget_bytes=None)


@pytest.mark.parametrize(("ratio", "budget"), [(None, None), (2.0, "1kB")])
def test_exactly_one_knob(ratio, budget):
    with pytest.raises(ConfigError, match="exactly one of the two"):
        limit_bytes(10, 4, target_ratio=ratio, budget_bytes=budget)


def test_what_is_larger_than_the_full_table_is_no_matter_of_less_compression():
    with pytest.raises(BudgetError) as caught:
        DeepHash(3, 8, target_ratio=1)
    assert caught.value.fix.startswith("use Full")
    assert "its largest ratio is 0." in caught.value.wanted


def test_the_largest_ratio_named_by_the_error_is_feasible():
    with pytest.raises(BudgetError) as caught:
        MEmCom(1000, 32, target_ratio=100)
    assert "its largest ratio is 15.74" in str(caught.value)
    assert MEmCom(1000, 32, target_ratio=15.74).num_rows == 1


@pytest.mark.parametrize(
    ("ratio", "wanted"),
    [
        (20, "ask for less compression, or use MEmCom with bias: false, or use Auto, or use NaiveHash"),
        (40, "ask for less compression, or use Auto, or use NaiveHash"),
        (4000, "ask for less compression"),
    ],
)
def test_the_error_names_only_what_would_fit(ratio, wanted):
    with pytest.raises(BudgetError) as caught:
        MEmCom(1000, 32, target_ratio=ratio)
    assert caught.value.fix == wanted
