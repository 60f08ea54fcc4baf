import pytest
import torch

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.row_pair import RowPair


class Grid(RowPair):
    """Three first rows, four second ones; the id counts through all pairs."""

    def __init__(self, combine, dim=6):
        super().__init__(13, dim, combine, ways=("add", "concat", "multiply"))
        self._start_tables(3, 4)

    def _rows(self, ids):
        return (ids - 1).clamp(min=0) // 4, (ids - 1).clamp(min=0) % 4


@pytest.mark.parametrize(
    ("combine", "together"),
    [("add", torch.add), ("multiply", torch.mul), ("concat", lambda a, b: torch.cat([a, b], dim=-1))],
)
def test_every_pair_of_rows_makes_a_vector(combine, together):
    grid = Grid(combine)
    wanted = [together(grid.first()[f], grid.second()[s]) for f in range(3) for s in range(4)]
    torch.testing.assert_close(grid.dense()[1:], torch.stack(wanted))


@pytest.mark.parametrize(("combine", "width"), [("add", 7), ("concat", 7), ("multiply", 6)])
def test_a_query_is_compared_with_rows_and_only_products_are_made(combine, width):
    assert Grid(combine).project(torch.randn(2, 6)).shape == (2, width)


@pytest.mark.parametrize("combine", ["add", "multiply", "concat"])
def test_pairs_start_with_norm_one(combine):
    torch.manual_seed(0)
    norms = torch.stack([Grid(combine, dim=64).dense()[1:].norm(dim=1) for _ in range(50)])
    assert abs(norms.mean().item() - 1) < 0.05


def test_another_way_to_combine_is_refused():
    with pytest.raises(ConfigError, match="one of add, concat, multiply"):
        Grid("mul")
