import math

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memcom_rank.embeddings.quantise import STEPS, best_step, dequantise, pack, packed_bytes, quantise, rounded, unpack

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
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rounding_gives_what_the_stored_codes_say_to_the_bit(bits, dtype):
    latent_ND = (3 * torch.randn(50, 20)).to(dtype)
    latent_ND[0] = 0
    latent_ND[1, 0] = 1e30
    for noise, step in ((None, None), (torch.rand(50, 20) - 0.5, None), (None, torch.full((1,), 0.3).half())):
        stored_ND = dequantise(*quantise(latent_ND.float(), bits, noise, step=step), bits).to(dtype)
        assert torch.equal(rounded(latent_ND, bits, noise, step=step), latent_ND + (stored_ND - latent_ND))


@BITS
def test_gradients_pass_straight_through(bits):
    latent_ND = torch.randn(3, 8, requires_grad=True)
    weights_ND = torch.randn(3, 8)
    (rounded(latent_ND, bits) * weights_ND).sum().backward()
    torch.testing.assert_close(latent_ND.grad, weights_ND)


def test_a_row_of_zeros_and_one_of_huge_values_stay_finite():
    values = torch.stack([torch.zeros(4), torch.full((4,), 1e30)])
    assert rounded(values, 2).isfinite().all()
    assert rounded(values, 2)[0].abs().max() < 1e-4


@BITS
def test_rounding_with_noise_is_to_a_neighbour_and_right_on_average(bits):
    torch.manual_seed(0)
    values = torch.linspace(-1, 1, 41)[None]
    nearest, _ = quantise(values, bits)
    step = quantise(values, bits)[1].float()
    inside = values.abs() < (2**bits - 1) / 2 * step
    draws = torch.stack([quantise(values, bits, torch.rand_like(values) - 0.5)[0] for _ in range(2000)])
    assert (draws.int() - nearest.int()).abs().max() == 1
    mean = dequantise(draws.float().mean(0), step, bits)
    torch.testing.assert_close(mean[inside], values[inside], rtol=0, atol=0.07 * step.item())


@BITS
def test_values_can_be_rounded_with_the_step_of_others(bits):
    values_D = torch.randn(40, generator=torch.Generator().manual_seed(0))
    codes_D, step_1 = quantise(values_D, bits)
    assert torch.equal(best_step(values_D, bits), step_1)
    assert torch.equal(quantise(values_D[:3], bits, step=step_1)[0], codes_D[:3])
    torch.testing.assert_close(rounded(values_D[:3], bits, step=step_1), dequantise(codes_D, step_1, bits)[:3])


@pytest.mark.parametrize("bits", [1, 3, 8, 19])
@pytest.mark.parametrize("count", [2**16 - 1, 2**16, 2**16 + 3])
def test_pieces_join_as_if_packed_bit_by_bit_at_once(bits, count):
    codes = torch.randint(2**bits, (count,), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    ones = (codes[:, None] >> torch.arange(bits) & 1).flatten().numpy()
    packed = pack(codes, bits)
    assert packed.numpy().tobytes() == numpy.packbits(ones, bitorder="little").tobytes()
    assert torch.equal(unpack(packed, bits, count), codes.long())
