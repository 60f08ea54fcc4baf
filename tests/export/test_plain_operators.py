import pytest
import torch
from torch.nn.functional import pad

from memcom_rank.embeddings import MEmCom
from memcom_rank.embeddings.quantise import dequantise
from memcom_rank.export import plain_operators as plain
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.packing import pack_rows
from memcom_rank.models import PoolMatch
from tests.export.rankers import DIM, NUM_IDS, check_equal, ranker

ROWS, WIDTH = 7, 21


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
def test_rows_and_dots_are_those_of_the_dequantised_table(bits):
    codes_MW = torch.randint(0, 1 << bits, (ROWS, WIDTH), dtype=torch.uint8)
    step_M, rows, queries_BW = torch.rand(ROWS).half(), torch.tensor([[0, 6, 6], [3, 2, 1]]), torch.randn(3, WIDTH)
    wanted_MW = dequantise(codes_MW, step_M[:, None], bits)
    codes_MB = (pack_rows(codes_MW, bits) ^ 128).view(torch.int8)
    torch.testing.assert_close(plain.packed_rows(codes_MB, step_M, rows, bits, WIDTH), wanted_MW[rows])
    torch.testing.assert_close(plain.packed_dots(codes_MB, step_M, queries_BW, bits), queries_BW @ wanted_MW.T)


@pytest.mark.parametrize("widths", [(1, 2), (0, 0), (-1, 0), (0, -2), (2, -1), (1, 0, 0, 2)])
def test_padding_is_that_of_torch(widths):
    values = torch.arange(12).view(3, 4)
    assert torch.equal(plain.constant_pad(values, widths, 7), pad(values, widths, value=7))


def test_splits_and_repeats_are_those_of_torch():
    values = torch.arange(12).view(3, 4)
    for found, wanted in zip(plain.split(values, [1, 3], 1), values.split([1, 3], 1), strict=True):
        assert torch.equal(found, wanted)
    assert torch.equal(plain.repeat(values, [2, 3]), values.repeat(2, 3))


@pytest.mark.parametrize(("least", "most"), [(2, None), (None, 5), (2, 5)])
def test_clamps_are_those_of_torch(least, most):
    values = torch.arange(12)
    assert torch.equal(plain.clamp(values, least, most), values.clamp(least, most))


@pytest.mark.slow
@pytest.mark.parametrize("bits", [32, 8, 4])
def test_a_trace_ranks_as_the_ranker_with_histories_that_are_padded(bits):
    device = DeviceRanker(ranker(MEmCom(NUM_IDS, DIM, target_ratio=2), PoolMatch()), bits=bits, k=9)
    history_1L = torch.tensor([[5, 2, 9, 1, 0, 0]])
    with torch.no_grad():
        found = plain.plain_program(device, 6).module()(history_1L.int())
        wanted = device(history_1L[:, :4])
    check_equal([tensor.numpy() for tensor in found], [tensor.numpy() for tensor in wanted])


@pytest.mark.parametrize("divisor", [1, 3, 64, 1000])
def test_quotients_are_whole(divisor):
    values = torch.tensor([-7, -1, 0, 1, 63, 64, 2**22 - 1], dtype=torch.int32)
    found = plain.quotient(values, divisor)
    assert found.dtype == torch.int32
    assert found.tolist() == [value // divisor for value in values.tolist()]
