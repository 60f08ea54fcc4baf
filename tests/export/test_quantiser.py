import pytest
import torch

from memcom_rank.embeddings.quantise import best_step, dequantise, quantise
from memcom_rank.export.quantiser import BLOCK, quantise_rows, quantise_scalars


def error(rows_MW, codes_MW, step_M1, bits):
    return (dequantise(codes_MW, step_M1, bits) - rows_MW).square().sum(1)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_no_row_is_rounded_worse_than_with_the_largest_step_or_much_worse_than_with_that_of_a_normal(bits):
    torch.manual_seed(0)
    rows_MW = torch.randn(50, 32) * torch.rand(50, 1)
    codes_MW, step_M = quantise_rows(rows_MW, bits)
    found_M = error(rows_MW, codes_MW, step_M[:, None], bits)
    all_M1 = (rows_MW.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 0.5)).half()
    assert (found_M <= error(rows_MW, *quantise(rows_MW, bits, step=all_M1), bits) + 1e-9).all()
    normal_M1 = best_step(rows_MW, bits)
    assert found_M.sum() <= 1.02 * error(rows_MW, *quantise(rows_MW, bits, step=normal_M1), bits).sum()


def test_a_row_of_zeros_stays_nearly_zero():
    codes_MW, step_M = quantise_rows(torch.zeros(1, 4), 4)
    assert dequantise(codes_MW, step_M[:, None], 4).abs().max() < 1e-3


def test_numbers_are_rounded_to_half_a_step_of_their_block():
    values_N = torch.linspace(-9, 3, BLOCK * 2 + 5).sin() * 10
    codes_N, least_K, step_K = quantise_scalars(values_N)
    assert codes_N.dtype == torch.uint8
    assert len(codes_N) == len(values_N)
    for place, value in enumerate(values_N.tolist()):
        least, step = least_K[place // BLOCK].item(), step_K[place // BLOCK].item()
        assert abs(least + codes_N[place].item() * step - value) <= step * 0.51 + 255 * step * 2**-11


def test_equal_numbers_stay_equal():
    codes_N, least_K, step_K = quantise_scalars(torch.full((3,), 0.3))
    assert (least_K + codes_N * step_K.float()).tolist() == pytest.approx([0.3] * 3, abs=1e-6)
