"""What all tables promise is in test_tables.py; here which row is shared."""

import torch

from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.embeddings.shared_table import SharedTable
from memcom_rank.embeddings.tables import Rows


def test_rows_are_those_that_the_map_says():
    rows, row_of = Rows(2, 3), IdMap(4, 2)
    row_of.set(torch.tensor([1, 1, 0, 1]))
    shared = SharedTable(rows, row_of)
    assert (shared.num_rows, shared.width) == (4, 3)
    assert torch.equal(shared(), rows()[[1, 1, 0, 1]])
    assert torch.equal(shared(torch.tensor([[2], [3]])), rows()[torch.tensor([[0], [1]])])
