import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import LowBit
from memcom_rank.embeddings.quantise import dequantise, unpack


@pytest.mark.parametrize(
    ("bits", "ratio", "width"),
    [(8, 3.5, 64), (4, 7, 64), (2, 14, 64), (1, 25, 64), (2, 16, 56), (1, 32, 48), (1, 64, 16)],
)
def test_the_width_is_the_largest_that_fits_and_at_most_the_full_one(bits, ratio, width):
    made = LowBit(1000, 64, bits=bits, target_ratio=ratio)
    assert made.table.width == width
    assert made.ratio >= ratio
    assert width == 64 or 1000 * (width + 1) * bits / 8 + 2000 > made.full_bytes / ratio


def test_values_beyond_the_width_are_zero_and_what_is_at_rest_is_enough():
    made = LowBit(30, 16, bits=2, target_ratio=13)
    width = made.table.width
    assert 0 < width < 16
    table_VD = made.dense().detach()
    assert not table_VD[:, width:].any()
    stored = made.at_rest()
    codes_VW = unpack(stored["table.codes"], 2, 30 * width).view(30, width)
    found_VW = dequantise(codes_VW, stored["table.step"][:, None], 2)
    torch.testing.assert_close(found_VW[1:], table_VD[1:, :width])


def test_a_budget_below_one_value_per_id_is_refused_with_what_goes_further():
    with pytest.raises(BudgetError, match=r"LowBit with bits: 4 cannot fit(.|\n)*largest ratio"):
        LowBit(1000, 64, bits=4, target_ratio=200)
    with pytest.raises(BudgetError, match="LowBit with bits: 1"):
        LowBit(1000, 64, bits=4, target_ratio=115)
    with pytest.raises(BudgetError, match="or use Auto"):
        LowBit(1000, 64, bits=1, target_ratio=200)


def test_other_bits_are_refused():
    with pytest.raises(ConfigError, match="bits is 6"):
        LowBit(1000, 64, bits=6, target_ratio=100)  # whatever the size
