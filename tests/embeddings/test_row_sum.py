import pytest
import torch

from memcom_rank.embeddings.bag import scores_of_bags
from memcom_rank.embeddings.row_sum import RowSum
from memcom_rank.embeddings.tables import Rows


@pytest.mark.parametrize(("tall", "terms"), [(5, 3), (1, 1), (0, 2)])
def test_scores_of_bags_equal_a_gather_in_values_and_gradients(tall, terms):
    generator = torch.Generator().manual_seed(0)
    columns_TK = torch.randint(0, 7, (tall, terms), generator=generator)
    results = []
    for fast in (True, False):
        values_BM = torch.arange(14.0).view(2, 7).requires_grad_()
        weights_TK = torch.linspace(1, 2, tall * terms).view(tall, terms).requires_grad_()
        if fast:
            sums_BT = scores_of_bags(values_BM, columns_TK, weights_TK)
        else:
            sums_BT = (values_BM[:, columns_TK] * weights_TK).sum(dim=2)
        (sums_BT * torch.arange(1.0, 3.0)[:, None]).sum().backward()
        results.append([sums_BT.detach(), values_BM.grad, weights_TK.grad])
    torch.testing.assert_close(*results)


class Neighbours(RowSum):
    """emb(i) = U[i] - 2 U[i - 1], with weights that count how often they are asked for."""

    asked = 0

    def __init__(self, num_ids, dim):
        super().__init__(num_ids, dim)
        self.rows = Rows(num_ids, dim)

    def _rows(self, ids_N):
        return torch.stack([ids_N, (ids_N - 1).clamp(min=0)], 1)

    def _weights(self, ids_N):
        self.asked += 1
        return torch.tensor([1.0, -2.0]).expand(len(ids_N), 2)


def test_vectors_are_weighted_sums_of_rows():
    made = Neighbours(9, 4)
    torch.testing.assert_close(made.dense()[1:], made.rows()[1:] - 2 * made.rows()[:-1])


def test_weights_of_all_tiles_are_taken_at_once():
    made = Neighbours(9, 4)
    assert len(made.tiles(2)) == 4
    assert made.asked == 1
