"""What all tables promise is in test_tables.py; here the order of the parts."""

import torch

from memcom_rank.embeddings.stacked_rows import StackedRows, stacked_tiles
from memcom_rank.embeddings.tables import Rows


def test_rows_of_the_first_table_come_first_and_narrow_ones_end_in_zeros():
    wide, narrow = Rows(2, 3), Rows(3, 1)
    stack = StackedRows([wide, narrow])
    assert (stack.num_rows, stack.width) == (5, 3)
    assert torch.equal(stack(torch.tensor([0, 1])), wide())
    assert torch.equal(stack(torch.tensor([2, 3, 4]))[:, :1], narrow())
    assert not stack()[2:, 1:].any()


def test_a_tile_has_the_tables_that_have_rows_in_it():
    tables = [Rows(4, 2), Rows(1, 2), Rows(6, 2)]
    pieces = stacked_tiles(tables, 3)
    assert [[number for number, _ in own] for own in pieces] == [[0], [0, 1, 2], [2], [2]]
    lengths = [[tile(torch.ones(1, 2)).shape[1] for _, tile in own] for own in pieces]
    assert lengths == [[3], [1, 1, 1], [3], [2]]
