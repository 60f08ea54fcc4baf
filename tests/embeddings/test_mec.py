import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import Mec
from tests.embeddings.groups import grouped_games


def started(seed: int = 0) -> Mec:
    torch.manual_seed(seed)
    made = Mec(22, 8, num_codebooks=2, budget_bytes=8 * 8 * 4 + 17)
    made.start(*grouped_games(groups=4))
    return made


def test_games_of_the_same_users_start_close_and_others_far():
    made = started()
    assert made.num_codewords == 8
    vectors_GD = torch.nn.functional.normalize(made(torch.arange(2, 22)), dim=1)
    cosines_GG = vectors_GD @ vectors_GD.T
    alike_GG = (torch.arange(20)[:, None] - torch.arange(20)) % 4 == 0
    assert cosines_GG[alike_GG].mean() > 0.9
    assert cosines_GG[~alike_GG].mean() < 0.3


def test_codes_differ_by_seed_and_not_without():
    assert torch.equal(started(1).codes.codes, started(1).codes.codes)
    assert not torch.equal(started(1).codes.codes, started(2).codes.codes)


def test_codes_stay_and_codebooks_train():
    made = started()
    codes, words = made.codes.codes.clone(), made.words().detach().clone()
    optimizer = torch.optim.Adam(made.parameters(), lr=0.1)
    made(torch.arange(1, 22)).square().sum().backward()
    optimizer.step()
    assert torch.equal(made.codes.codes, codes)
    assert not torch.equal(made.words(), words)


def test_few_codewords_make_many_vectors():
    codes_VS = torch.cartesian_prod(*[torch.arange(3)] * 4)
    made = Mec(81, 8, num_codebooks=4, budget_bytes=3 * 8 * 4 + 81)
    made.codes.set(codes_VS)
    assert made.num_codewords == 3
    assert len(made.dense().unique(dim=0)) == 81  # 80 games, and padding


@pytest.mark.parametrize(("books", "fix"), [(3, "use e.g. 8"), (0, "use e.g. 8")])
def test_codebooks_that_do_not_divide_the_width_are_refused(books, fix):
    with pytest.raises(ConfigError, match=rf"num_codebooks is {books}(.|\n)*{fix}"):
        Mec(100, 16, num_codebooks=books, target_ratio=2)


def test_too_small_a_budget_names_fewer_codebooks():
    with pytest.raises(
        BudgetError, match=r"at least 1064 bytes(.|\n)*Mec with num_codebooks: 1, or use Auto, or use NaiveHash"
    ):
        Mec(1000, 16, budget_bytes=500)
