import torch

from memcom_rank.embeddings import NaiveHash


def test_games_of_a_row_are_the_same():
    hashed = NaiveHash(100, 8, budget_bytes=10 * 8 * 4)
    assert hashed.num_rows == 10
    assert torch.equal(hashed(torch.tensor(2)), hashed(torch.tensor(92)))
    assert not torch.equal(hashed(torch.tensor(2)), hashed(torch.tensor(3)))


def test_more_rows_than_ids_are_not_made():
    hashed = NaiveHash(5, 8, budget_bytes="1MB")
    assert hashed.num_rows == 4
    assert len(hashed.dense().unique(dim=0)) == 5
