import pytest

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import Auto, Full, LowBit, MergeRare


@pytest.mark.parametrize(
    ("ratio", "kind", "bits"),
    [
        (1, Full, None),
        (2, LowBit, 8),
        (4, LowBit, 8),
        (8, LowBit, 4),
        (16, LowBit, 2),
        (20, MergeRare, None),
        (64, MergeRare, None),
    ],
)
def test_the_technique_follows_from_the_ratio(ratio, kind, bits):
    made = Auto(5000, 256, target_ratio=ratio)
    assert type(made) is kind
    assert made.ratio >= ratio
    if bits is not None:
        assert made.table.bits == bits
        assert made.table.width >= 240


@pytest.mark.parametrize(("ratio", "kind", "bits"), [(4, LowBit, 8), (7, LowBit, 4), (16, MergeRare, 4)])
def test_narrow_rows_keep_four_bits(ratio, kind, bits):
    made = Auto(5000, 64, target_ratio=ratio)
    assert type(made) is kind
    assert (made.table.tables[0] if kind is MergeRare else made.table).bits == bits


def test_ratios_and_bytes_are_two_words_for_one_budget():
    bytes_ = [
        Auto(5000, 64, **size).num_bytes for size in ({"target_ratio": 32}, {"budget_bytes": 5000 * 64 * 4 // 32})
    ]
    assert bytes_[0] == bytes_[1] <= 40_000


def test_what_cannot_be_is_refused():
    with pytest.raises(BudgetError, match="MergeRare"):
        Auto(5000, 64, budget_bytes=60)
    with pytest.raises(BudgetError, match="MergeRare"):
        Auto(3, 1, target_ratio=1000)  # less than a byte
    with pytest.raises(ConfigError):
        Auto(5000, 64)
