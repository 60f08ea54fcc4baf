import pytest
import torch

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.quantise import STEPS, dequantise, rounded, unpack

BITS = pytest.mark.parametrize("bits", STEPS)


@BITS
def test_what_is_trained_is_what_is_stored(bits):
    torch.manual_seed(0)
    table = LowBitRows(7, 5, bits)
    stored = table.at_rest()
    codes_MW = unpack(stored["codes"], bits, 35).view(7, 5)
    torch.testing.assert_close(dequantise(codes_MW, stored["step"][:, None], bits), table(), rtol=1e-6, atol=1e-6)
    assert sum(tensor.nbytes for tensor in stored.values()) == LowBitRows.bytes_of(7, 5, bits)


@BITS
@pytest.mark.parametrize("norm", [1.0, 0.5])
def test_rows_start_with_the_norm_that_is_asked_for_as_they_are_stored(bits, norm):
    torch.manual_seed(0)
    assert LowBitRows(500, 16, bits, norm=norm)().norm(dim=1).mean().item() == pytest.approx(norm, rel=0.02)


def test_other_bits_are_refused():
    with pytest.raises(ConfigError, match="bits is 5"):
        LowBitRows(3, 4, 5)


def test_other_bits_have_no_size():
    with pytest.raises(ConfigError, match="bits is 5"):
        LowBitRows.bytes_of(1000, 64, 5)


@pytest.mark.parametrize("use", ["all", "few", "many", "bag of few", "bag of many", "dots"])
def test_only_training_rounds_at_random_and_only_if_asked(use):
    def used(table):
        rows = torch.arange(2 if "few" in use else 6)
        if "bag" in use:
            return table.bag(rows[:, None], torch.ones(len(rows), 1))
        return table.dots(torch.eye(40)) if use == "dots" else table(None if use == "all" else rows)

    for stochastic in (False, True):
        table = LowBitRows(6, 40, 4, stochastic=stochastic)
        assert torch.equal(used(table), used(table)) is not stochastic
        table.eval()
        nearest = used(table)
        assert torch.equal(nearest, used(table))
    torch.testing.assert_close(table(), rounded(table.rows_MW, 4))


def test_a_row_used_twice_is_rounded_once():
    table = LowBitRows(60, 40, 4, stochastic=True)
    rows_BL = torch.tensor([[3, 5], [5, 3]])
    first_W, second_W = table.bag(rows_BL, torch.ones(2, 2))
    torch.testing.assert_close(first_W, second_W)


def test_rounding_at_random_is_right_on_average_in_every_tile():
    torch.manual_seed(0)
    table = LowBitRows(5, 8, 4, stochastic=True)
    with torch.no_grad():
        table.rows_MW.clamp_(-0.7, 0.7)  # inside the levels, whose ends have one neighbour
    draws = [torch.cat([tile(torch.eye(8)) for tile in table.tiles(2)], 1) for _ in range(400)]
    torch.testing.assert_close(torch.stack(draws).mean(0), table.rows_MW.T, rtol=0, atol=0.03)


def test_a_tile_that_is_made_again_is_rounded_as_before_and_other_tiles_otherwise():
    table = LowBitRows(6, 40, 4, stochastic=True)
    with torch.no_grad():
        table.rows_MW[3:] = table.rows_MW[:3]
    queries = torch.eye(40)
    torch.manual_seed(0)
    first, second = table.tiles(3)
    made = first(queries)
    torch.rand(9)  # something else draws in between
    assert torch.equal(first(queries), made)
    assert not torch.equal(second(queries), made)
    assert not torch.equal(table.tiles(3)[0](queries), made)
    torch.manual_seed(0)
    assert torch.equal(table.tiles(3)[0](queries), made)
