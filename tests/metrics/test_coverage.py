import pytest
import torch

from memcom_rank.metrics import Coverage
from memcom_rank.metrics.coverage import shown_games


def test_share_of_games_in_somebodys_top_k():
    metric = Coverage(2, num_ids=7)  # five games, ids 2 to 6
    metric.update(torch.tensor([[2, 3, 6], [3, 2, 6]]))
    assert metric.compute().item() == pytest.approx(2 / 5)
    metric.update(torch.tensor([[4, 0, 0]]))  # fewer candidates than k: padding shows nothing
    assert metric.compute().item() == pytest.approx(3 / 5)
    metric.reset()
    metric.update(torch.tensor([[6, 5, 2]]))
    assert metric.compute().item() == pytest.approx(2 / 5)


def test_shown_games_equals_a_set():
    ids = torch.randint(0, 30, (20, 3), generator=torch.Generator().manual_seed(0))
    shown = shown_games(ids, 30)
    assert set(shown.nonzero().flatten().tolist()) == set(ids.flatten().tolist())
    assert shown.max() == 1
