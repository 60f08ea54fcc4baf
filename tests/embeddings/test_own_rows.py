import torch

from memcom_rank.embeddings.own_rows import OwnRows
from memcom_rank.embeddings.tables import Rows


class Toy(OwnRows):
    def __init__(self, num_rows, width):
        super().__init__(9, 4)
        self.table = Rows(num_rows, width)


def test_an_id_has_the_row_of_its_number_or_the_one_before_where_padding_has_none():
    whole, without = Toy(9, 4), Toy(8, 4)
    assert torch.equal(whole.dense()[1:], whole.table()[1:])
    assert torch.equal(without.dense()[1:], without.table())
    for made in (whole, without):
        assert not made.dense()[0].any()
        torch.testing.assert_close(made.score(torch.eye(4)), made.dense().T)


def test_narrow_rows_end_in_zeros_and_meet_part_of_a_query():
    made = Toy(8, 3)
    assert made.dense().shape == (9, 4)
    assert not made.dense()[:, 3].any()
    assert made.project(torch.ones(2, 4)).shape == (2, 3)
    torch.testing.assert_close(made.score(torch.ones(1, 4))[0], made.dense().sum(1))
