import pytest
import torch

from memcom_rank.embeddings import MEmCom, NaiveHash


@pytest.mark.parametrize("bias", [False, True])
def test_the_first_step_equals_naive_hashing(bias):
    memcom = MEmCom(100, 8, bias=bias, target_ratio=2)
    hashed = NaiveHash(100, 8, budget_bytes=memcom.num_rows * 8 * 4)
    hashed.load_state_dict({"rows.rows_MW": memcom.rows().detach()})
    assert torch.equal(memcom.dense(), hashed.dense())


def test_without_bias_games_of_a_row_stay_collinear_and_with_bias_not():
    torch.manual_seed(0)
    ranks = {}
    for bias in (False, True):
        memcom = MEmCom(100, 8, bias=bias, target_ratio=3)
        with torch.no_grad():
            for parameter in memcom.parameters():
                parameter.copy_(torch.randn_like(parameter))
        of_row_0 = torch.arange(2, 100, memcom.num_rows)
        ranks[bias] = torch.linalg.matrix_rank(memcom(of_row_0).double(), tol=1e-4).item()
    assert ranks == {False: 1, True: 2}


def test_more_rows_than_ids_are_not_made():
    assert MEmCom(5, 8, budget_bytes="1MB").num_rows == 4


@pytest.mark.parametrize(("bias", "ceiling"), [(False, 64), (True, 32)])
def test_the_ratio_ceiling(bias, ceiling):
    assert ceiling * 0.99 < MEmCom(500_000, 64, bias=bias, target_ratio=ceiling * 0.99).ratio < ceiling
