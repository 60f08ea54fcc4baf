import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import DeepHash


def test_bytes_do_not_grow_with_the_catalogue_and_hashes_cost_nothing():
    small, large = (DeepHash(v, 16, num_hashes=32, budget_bytes="40kB") for v in (1000, 100_000))
    assert small.num_bytes == large.num_bytes
    assert small.num_units == large.num_units > 40
    assert all("weight" in name or "bias" in name for name in small.at_rest())


def test_a_vector_is_the_same_alone_and_in_a_batch_in_training_and_after():
    made = DeepHash(1000, 16, num_hashes=32, target_ratio=4)
    ids = torch.arange(1, 50)
    together = made(ids)
    torch.testing.assert_close(torch.stack([made(i) for i in ids]), together)
    torch.testing.assert_close(made.eval()(ids), together)


def test_hashes_are_spread_evenly_and_ids_differ():
    values_NK = DeepHash(100_000, 16, num_hashes=8, target_ratio=100)._hashes(torch.arange(1, 100_000))
    assert values_NK.min() >= -1
    assert values_NK.max() <= 1
    for column in values_NK.unbind(1):
        assert abs(column.mean()) < 0.02
        assert abs(column.std() - 3**-0.5) < 0.02
    correlations = torch.corrcoef(values_NK.T) - torch.eye(8)
    assert correlations.abs().max() < 0.05
    assert len(values_NK.unique(dim=0)) == 99_999


def test_games_start_far_from_one_another():
    torch.manual_seed(0)
    vectors_VD = torch.nn.functional.normalize(DeepHash(1000, 64, target_ratio=2).dense()[1:], dim=1)
    cosines = (vectors_VD @ vectors_VD.T)[torch.triu(torch.ones(999, 999), 1) > 0]
    assert cosines.quantile(0.99) < 0.9


def test_a_network_that_does_not_fit_is_refused():
    with pytest.raises(BudgetError, match=r"at least 1172 bytes(.|\n)*Auto"):
        DeepHash(1000, 16, budget_bytes=1000)


@pytest.mark.parametrize("knobs", [{"num_hashes": 0}, {"num_layers": 0}])
def test_knobs_out_of_range_are_refused(knobs):
    with pytest.raises(ConfigError, match=next(iter(knobs))):
        DeepHash(100, 8, target_ratio=2, **knobs)
