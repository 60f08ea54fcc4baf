import torch

from memcom_rank.embeddings import Truncated


def test_popular_games_have_a_row_each_and_all_others_and_the_unknown_id_one_together():
    cut = Truncated(100, 8, budget_bytes=10 * 8 * 4)
    assert cut.num_rows == 10
    assert torch.equal(cut(torch.arange(2, 11)), cut.rows()[:9])
    shared = cut(torch.tensor([1, *range(11, 100)]))
    assert len(shared.unique(dim=0)) == 1
    assert torch.equal(shared[0], cut.rows()[9])


def test_one_row_is_for_all():
    assert len(Truncated(50, 4, budget_bytes=16).dense()[1:].unique(dim=0)) == 1


def test_with_a_row_for_every_game_the_unknown_id_has_its_own():
    cut = Truncated(5, 8, budget_bytes="1MB")
    assert cut.num_rows == 4
    assert len(cut.dense().unique(dim=0)) == 5
