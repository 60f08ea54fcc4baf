import pytest
import torch

from memcom_rank.embeddings.quantise import pack
from memcom_rank.export.packing import PLANES, level_offset, pack_rows, row_bytes, unpack_rows

BITS = sorted(PLANES)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("width", [1, 5, 8, 19])
def test_what_is_packed_is_unpacked(bits, width):
    codes_MW = torch.randint(0, 1 << bits, (6, width), dtype=torch.uint8)
    rows_MB = pack_rows(codes_MW, bits)
    assert rows_MB.dtype == torch.uint8
    assert rows_MB.shape == (6, row_bytes(width, bits))
    assert torch.equal(unpack_rows(rows_MB, bits, width), codes_MW.int())


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_rows_of_whole_bytes_are_packed_as_in_training(bits):
    codes_MW = torch.randint(0, 1 << bits, (3, 16), dtype=torch.uint8)
    assert torch.equal(pack_rows(codes_MW, bits).flatten(), pack(codes_MW, bits))


def test_three_bits_are_a_plane_of_two_and_a_plane_of_one():
    codes_MW = torch.tensor([[0b101, 0b010, 0b111, 0b001, 0b100]])
    assert pack_rows(codes_MW, 3).tolist() == [[0b01_11_10_01, 0b00, 0b10101]]


def test_levels_lie_around_zero():
    levels = [code + level_offset(3) for code in range(8)]
    assert sum(levels) == 0
    assert levels[4] == 0.5
