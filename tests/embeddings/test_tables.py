"""What every table and every kind of scalars promises, and the fp32 ones."""

import pytest
import torch
from torch import Tensor

from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.low_bit_scalars import LowBitScalars
from memcom_rank.embeddings.merging_rows import MergingRows
from memcom_rank.embeddings.prefixes import Prefixes
from memcom_rank.embeddings.shared_table import SharedTable
from memcom_rank.embeddings.stacked_rows import StackedRows
from memcom_rank.embeddings.tables import Rows, Scalars, Table, initial_rows, pick, widened

M, W = 13, 6
TABLES = {
    "Rows": lambda: Rows(M, W),
    "LowBitRows": lambda: LowBitRows(M, W, 4),
    "Prefixes": lambda: Prefixes(M, W, 50),
    "MergingRows": lambda: MergingRows(M, W, 4, 4),
    "MergingRows evaluated": lambda: MergingRows(M, W, 4, 4).eval(),
    "SharedTable": lambda: SharedTable(Rows(4, W), IdMap(M, 4)),
    "StackedRows": lambda: StackedRows([Rows(4, W - 2), LowBitRows(1, W, 2), Rows(8, 1)]),
    "StackedRows of stacks": lambda: StackedRows([StackedRows([Rows(4, W), Rows(2, 1)]), Rows(7, W)]),
}


@pytest.fixture(params=TABLES.values(), ids=TABLES.keys())
def table(request) -> Table:
    return request.param()


@pytest.fixture
def rows_MW(table) -> Tensor:
    """Each row asked for alone."""
    return torch.stack([table(torch.tensor(row)) for row in range(M)])


def gradients(table: Table, result: Tensor) -> list[Tensor]:
    weights = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
    return list(torch.autograd.grad((result * weights).sum(), list(table.parameters()), materialize_grads=True))


def test_a_table_says_how_large_it_is(table):
    assert (table.num_rows, table.width) == (M, W)
    assert table().shape == (M, W)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (5, 2, 4), (0,), (0, 2)], ids=str)
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_rows_come_by_number_of_any_shape(table, rows_MW, shape, dtype):
    torch.testing.assert_close(table(), rows_MW)
    numbers = torch.randint(0, M, shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(table(numbers.to(dtype)), rows_MW[numbers])


@pytest.mark.parametrize("shape", [(2, 3), (5, 9), (1, 1), (3, 0), (0, 3)], ids=str)
def test_bags_are_sums_of_rows_in_values_and_gradients(table, rows_MW, shape):
    rows_BL = torch.randint(0, M, shape, generator=torch.Generator().manual_seed(0))
    weights_BL = torch.randn(shape, requires_grad=True)
    found_BW, wanted_BW = table.bag(rows_BL.int(), weights_BL), (rows_MW[rows_BL] * weights_BL[..., None]).sum(1)
    torch.testing.assert_close(found_BW, wanted_BW)
    torch.testing.assert_close(gradients(table, found_BW), gradients(table, wanted_BW))


@pytest.mark.parametrize(
    ("size", "first"),
    [(1, 0), (5, 0), (5, 1), (M, 0), (100, 0), (4, 7), ([3, 1, 9], 0), ([1, 11], 1), (6, M - 1)],
    ids=str,
)
def test_tiles_are_products_with_the_rows_in_turn(table, rows_MW, size, first):
    queries_BW = torch.randn(3, W)
    tiles = table.tiles(size, first)
    found = [tile(queries_BW) for tile in tiles]
    wanted = [queries_BW @ part_TW.T for part_TW in torch.split(rows_MW[first:], size)]
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close([tile(queries_BW) for tile in tiles], wanted)
    torch.testing.assert_close(gradients(table, torch.cat(found, 1)), gradients(table, torch.cat(wanted, 1)))


def test_dots_are_products_with_all_rows(table, rows_MW):
    queries_BW = torch.randn(3, W)
    torch.testing.assert_close(table.dots(queries_BW), queries_BW @ rows_MW.T)


def test_a_table_keeps_its_type(table):
    made = table.bfloat16()
    assert made().dtype == made(torch.tensor([1])).dtype == torch.bfloat16
    assert made.dots(torch.ones(1, W).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("kind", [Scalars, LowBitScalars])
def test_scalars_come_by_id_and_in_parts(kind):
    scalars = kind(11, 0.5)
    assert torch.allclose(scalars(), torch.full((11,), 0.5), atol=5e-3)
    with torch.no_grad():
        scalars.values_N.copy_(torch.randn(11))
    whole_N = scalars()
    ids = torch.tensor([[4, 4, 0], [10, 1, 2]])
    assert torch.equal(scalars(ids), whole_N[ids])
    assert torch.equal(scalars(ids[0, 0].int()), whole_N[4])
    assert [len(part) for part in scalars.split(4, 1)] == [4, 4, 2]
    assert torch.equal(torch.cat(scalars.split(4, 1)), whole_N[1:])
    found = torch.autograd.grad(scalars(ids).sum() + 3 * scalars.split(4, 1)[0].sum(), [scalars.values_N])[0]
    assert found.tolist() == [1, 4, 4, 3, 5, 0, 0, 0, 0, 0, 1]


def test_initial_rows_have_the_norm_that_is_asked_for_whatever_the_width():
    torch.manual_seed(0)
    for dim, norm in ((4, 1.0), (256, 1.0), (64, 3.0)):
        squares = initial_rows(4000, dim, norm=norm).square().sum(dim=1)
        assert abs(squares.mean().item() - norm**2) < 0.05 * norm**2


def test_picked_values_keep_both_shapes():
    values = torch.arange(24).view(4, 3, 2)
    places = torch.tensor([[1, 0], [3, 3]])
    assert torch.equal(pick(values, places), values[places])


def test_narrow_values_end_in_zeros_and_wide_ones_stay_as_they_are():
    values = torch.arange(6.0).view(3, 2)
    assert torch.equal(widened(values, 4), torch.cat([values, torch.zeros(3, 2)], 1))
    assert widened(values, 2) is values
