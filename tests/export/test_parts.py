import pytest
import torch
from torch import nn

from memcom_rank.embeddings.tables import Rows, Scalars
from memcom_rank.export.parts import DeviceLinear, PackedRows, PackedScalars, PlainRows, PlainScalars
from memcom_rank.export.quantiser import BLOCK, quantise_rows, quantise_scalars

ROWS, WIDTH = 9, 6


def of_floats(part):
    """A table of the embeddings with the numbers of a part."""
    rows = Rows(ROWS, WIDTH)
    with torch.no_grad():
        rows.rows_MW.copy_(part())
    return rows


TABLES = {
    "fp32": lambda: PlainRows(torch.randn(ROWS, WIDTH)),
    "fp16": lambda: PlainRows(torch.randn(ROWS, WIDTH).half()),
    **{
        f"{bits}": lambda bits=bits: PackedRows(*quantise_rows(torch.randn(ROWS, WIDTH), bits), bits) for bits in (2, 8)
    },
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_used_as_one_of_floats(name):
    part = TABLES[name]()
    rows, queries_BW = of_floats(part), torch.randn(2, WIDTH)
    places = torch.tensor([[0, 8, 3], [3, 3, 1]])
    torch.testing.assert_close(part(places), rows(places))
    weights_BL = torch.rand(2, 3)
    torch.testing.assert_close(part.bag(places, weights_BL), rows.bag(places, weights_BL))
    torch.testing.assert_close(part.dots(queries_BW), rows.dots(queries_BW))
    for size in (4, [2, 3, 3]):
        pairs = zip(part.tiles(size, 1), rows.tiles(size, 1), strict=True)
        for own, wanted in pairs:
            torch.testing.assert_close(own(queries_BW), wanted(queries_BW))


@pytest.mark.parametrize(
    "part",
    [
        PlainScalars(torch.randn(BLOCK * 2 + 3)),
        PlainScalars(torch.randn(BLOCK * 2 + 3).half()),
        PackedScalars(*quantise_scalars(torch.randn(BLOCK * 2 + 3)), BLOCK),
    ],
)
def test_numbers_are_used_as_floats(part):
    scalars = Scalars(BLOCK * 2 + 3)
    with torch.no_grad():
        scalars.values_N.copy_(part())
    ids = torch.tensor([[0, 1], [BLOCK, BLOCK * 2 + 2]])
    torch.testing.assert_close(part(ids), scalars(ids))
    for own, wanted in zip(part.split(50, 1), scalars.split(50, 1), strict=True):
        torch.testing.assert_close(own, wanted)


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_of_a_table(bias):
    layer = nn.Linear(4, 3, bias=bias)
    part = DeviceLinear(PlainRows(layer.weight.detach()), layer.bias.detach() if bias else None)
    inputs_BW = torch.randn(2, 4)
    torch.testing.assert_close(part(inputs_BW), layer(inputs_BW))
