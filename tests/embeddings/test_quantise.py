import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.quantise import STEPS, LowBitRows, dequantise, pack, packed_bytes, quantise, rounded, unpack

BITS = pytest.mark.parametrize("bits", STEPS)


@given(st.sampled_from([1, 2, 3, 4, 5, 8, 11, 13]), st.lists(st.integers(0, 2**13 - 1), max_size=40))
def test_packed_integers_come_back_and_lie_as_one_long_number(bits, values):
    codes = torch.tensor([value % 2**bits for value in values], dtype=torch.int64)
    packed = pack(codes, bits)
    assert packed.dtype == torch.uint8
    assert len(packed) == packed_bytes(len(codes), bits) == math.ceil(len(codes) * bits / 8)
    assert torch.equal(unpack(packed, bits, len(codes)), codes)
    number = sum(code << place * bits for place, code in enumerate(codes.tolist()))
    assert bytes(packed.tolist()) == number.to_bytes(len(packed), "little")


@BITS
def test_values_are_the_nearest_levels_one_by_one(bits):
    values_ND = torch.randn(5, 30, generator=torch.Generator().manual_seed(bits))
    codes_ND, step_N1 = quantise(values_ND, bits)
    found_ND = dequantise(codes_ND, step_N1, bits)
    for row, step, found in zip(values_ND, step_N1, found_ND, strict=True):
        rms = math.sqrt(sum(x * x for x in row.tolist()) / len(row))
        assert step.item() == pytest.approx(rms * STEPS[bits], rel=1e-3)
        levels = [(code - (2**bits - 1) / 2) * step.item() for code in range(2**bits)]
        nearest = [min(levels, key=lambda level, x=x: abs(level - x)) for x in row.tolist()]
        torch.testing.assert_close(found, torch.tensor(nearest))


@BITS
def test_the_step_is_the_best_for_normal_values(bits):
    values = torch.randn(1, 200_000, generator=torch.Generator().manual_seed(0))

    def error(step):
        codes = (values / step).floor().add(2 ** (bits - 1)).clamp(0, 2**bits - 1)
        return ((codes + 0.5 - 2 ** (bits - 1)) * step - values).square().mean().item()

    best = error(STEPS[bits])
    assert all(best <= error(STEPS[bits] * change) for change in (0.9, 1.1))


@BITS
def test_gradients_pass_straight_through(bits):
    latent_ND = torch.randn(3, 8, requires_grad=True)
    weights_ND = torch.randn(3, 8)
    (rounded(latent_ND, bits) * weights_ND).sum().backward()
    torch.testing.assert_close(latent_ND.grad, weights_ND)


@BITS
def test_what_is_trained_is_what_is_stored(bits):
    torch.manual_seed(0)
    table = LowBitRows(7, 5, bits)
    stored = table.at_rest()
    codes_MD = unpack(stored["codes"], bits, 35).view(7, 5)
    torch.testing.assert_close(dequantise(codes_MD, stored["step"][:, None], bits), table(), rtol=1e-6, atol=1e-6)
    assert sum(tensor.nbytes for tensor in stored.values()) == LowBitRows.bytes_of(7, 5, bits)
    rows_N = torch.tensor([3, 3, 0])
    torch.testing.assert_close(table(rows_N), table()[rows_N])


def test_a_row_of_zeros_and_one_of_huge_values_stay_finite():
    values = torch.stack([torch.zeros(4), torch.full((4,), 1e30)])
    assert rounded(values, 2).isfinite().all()
    assert rounded(values, 2)[0].abs().max() < 1e-4


def test_other_bits_are_refused():
    with pytest.raises(ConfigError, match="bits is 5"):
        LowBitRows(3, 4, 5)


@BITS
def test_rounding_at_random_is_to_a_neighbour_and_right_on_average(bits):
    torch.manual_seed(0)
    values = torch.linspace(-1, 1, 41)[None]
    nearest, _ = quantise(values, bits)
    step = quantise(values, bits)[1].float()
    inside = values.abs() < (2**bits - 1) / 2 * step
    draws = torch.stack([quantise(values, bits, stochastic=True)[0] for _ in range(2000)])
    assert (draws.int() - nearest.int()).abs().max() == 1
    mean = dequantise(draws.float().mean(0), step, bits)
    torch.testing.assert_close(mean[inside], values[inside], rtol=0, atol=0.07 * step.item())


def test_only_training_rounds_at_random_and_only_if_asked():
    for stochastic in (False, True):
        table = LowBitRows(6, 40, 4, stochastic=stochastic)
        assert torch.equal(table(), table()) is not stochastic
        table.eval()
        assert torch.equal(table(), rounded(table.latent_MD, 4))
