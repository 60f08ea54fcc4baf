"""What ExecuTorch is told instead of our operations says the same in torch (test_executorch_model.py: also there)."""

import pytest
import torch

from memcom_rank.embeddings.quantise import dequantise
from memcom_rank.export import executorch_operators as operators
from memcom_rank.export.packing import pack_rows

ROWS, WIDTH = 7, 21


def table(bits):
    codes_MW = torch.randint(0, 1 << bits, (ROWS, WIDTH), dtype=torch.uint8)
    step_M = torch.rand(ROWS).half()
    return operators.flipped(pack_rows(codes_MW, bits)), step_M, dequantise(codes_MW, step_M[:, None], bits)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_rows_are_those_of_the_dequantised_table(bits):
    codes_MB, step_M, wanted_MW = table(bits)
    rows = torch.tensor([[0, 6, 6], [3, 2, 1]], dtype=torch.int32)
    torch.testing.assert_close(operators.packed_rows(codes_MB, step_M, rows, bits, WIDTH), wanted_MW[rows])


def test_flipped_bytes_are_codes_less_half_their_range():
    codes_MB = torch.arange(256, dtype=torch.uint8)[None]
    assert operators.flipped(codes_MB).tolist() == [list(range(-128, 128))]


@pytest.mark.parametrize("values", [[-7, -3, -1, 0, 1, 2, 3, 2**40]])
def test_remainders_are_never_negative(values):
    found = operators.remainder(torch.tensor(values), 3)
    assert found.tolist() == [value % 3 for value in values]
