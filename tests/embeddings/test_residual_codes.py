import itertools

import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import ResidualCodes
from memcom_rank.embeddings.clustering import game_factors
from tests.embeddings.test_clustering import owned


def started(**knobs):
    torch.manual_seed(0)
    made = ResidualCodes(17, 8, **knobs)
    made.start(*owned())
    return made


def test_the_first_code_joins_games_of_the_same_users():
    made = started(num_codes=2, budget_bytes=75, multiplier=False)
    assert made.num_rows == 3
    first = made.codes(torch.arange(2, 17))[:, 0]
    assert [len(set(first[5 * g : 5 * g + 5].tolist())) for g in range(3)] == [1, 1, 1]
    assert len(set(first.tolist())) == 3


def test_each_further_code_comes_closer_to_the_factors():
    made = started(num_codes=4, bits=1, budget_bytes=95, multiplier=False)
    factors = game_factors(*owned(), num_ids=17, width=64)[2:]
    codes = made.codes(torch.arange(2, 17))
    left = [factors.square().sum()]
    for book in range(4):
        together = [tuple(row[: book + 1]) for row in codes.tolist()]
        means = {key: factors[[k == key for k in together]].mean(0) for key in set(together)}
        left.append(sum((row - means[key]).square().sum() for row, key in zip(factors, together, strict=True)))
    assert all(after < before for before, after in itertools.pairwise(left))


def test_same_seed_same_codes_and_they_survive_a_checkpoint():
    one, other = started(budget_bytes=300), started(budget_bytes=300)
    assert torch.equal(one.codes.codes, other.codes.codes)
    fresh = ResidualCodes(17, 8, budget_bytes=300)
    fresh.load_state_dict(one.state_dict())
    assert torch.equal(fresh.dense(), one.dense())


def test_the_multiplier_starts_at_one():
    torch.testing.assert_close(ResidualCodes(50, 8, budget_bytes=900).scale(), torch.ones(50), rtol=0.02, atol=0)


def test_too_small_a_budget_is_refused_with_what_goes_further():
    with pytest.raises(BudgetError, match="or use ResidualCodes with num_codes: 1"):
        ResidualCodes(1000, 64, num_codes=32, budget_bytes=3400)


@pytest.mark.parametrize("codes", [0, -2])
def test_at_least_one_code(codes):
    with pytest.raises(ConfigError, match=f"num_codes is {codes}"):
        ResidualCodes(1000, 64, num_codes=codes, target_ratio=16)


def test_other_bits_are_refused():
    with pytest.raises(ConfigError, match="bits is 5"):
        ResidualCodes(1000, 64, bits=5, target_ratio=16)
