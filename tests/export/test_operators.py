import pytest
import torch

from memcom_rank.embeddings.quantise import dequantise
from memcom_rank.export.operators import packed_dots, packed_rows
from memcom_rank.export.packing import pack_rows

ROWS, WIDTH = 7, 5


def table(bits):
    codes_MW = torch.randint(0, 1 << bits, (ROWS, WIDTH), dtype=torch.uint8)
    step_M = torch.rand(ROWS).half()
    return pack_rows(codes_MW, bits), step_M, dequantise(codes_MW, step_M[:, None], bits)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
def test_rows_are_those_of_the_dequantised_table(bits):
    codes_MB, step_M, wanted_MW = table(bits)
    rows = torch.tensor([[0, 6, 6], [3, 2, 1]], dtype=torch.int32)
    assert torch.equal(packed_rows(codes_MB, step_M, rows, bits, WIDTH), wanted_MW[rows])


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
def test_dots_are_those_of_the_dequantised_table(bits):
    codes_MB, step_M, wanted_MW = table(bits)
    queries_BW = torch.randn(3, WIDTH)
    torch.testing.assert_close(packed_dots(codes_MB, step_M, queries_BW, bits), queries_BW @ wanted_MW.T)


@pytest.mark.parametrize("bits", [3, 8])
def test_a_trace_knows_their_shapes(bits):
    codes_MB, step_M, _ = table(bits)
    for operator, arguments in (
        (packed_rows, (codes_MB, step_M, torch.tensor([[0], [1]]), bits, WIDTH)),
        (packed_dots, (codes_MB, step_M, torch.randn(3, WIDTH), bits)),
    ):
        torch.library.opcheck(operator, arguments)
