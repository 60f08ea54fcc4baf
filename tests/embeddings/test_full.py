import torch

from memcom_rank.embeddings import Full


def test_the_padding_row_is_zero_and_stays_zero_under_training():
    full = Full(6, 3)
    optimizer = torch.optim.Adam(full.parameters(), lr=0.1)
    before = full.table.rows_MW.detach().clone()
    full.score(full(torch.tensor([0, 1, 2]))).sum().backward()
    optimizer.step()
    assert (full.table.rows_MW[0] == 0).all()
    assert (full.table.rows_MW[1:] != before[1:]).any(dim=1).all()


def test_it_is_its_own_yardstick():
    assert Full(100, 8).ratio == 1.0
