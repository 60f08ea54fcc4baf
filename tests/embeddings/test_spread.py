import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memcom_rank.embeddings.hashing import modulo
from memcom_rank.embeddings.spread import spread_modulo, spread_scaled


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 70))
def test_spread_equals_a_gather(first, count, num_rows):
    values_BM = torch.arange(2 * num_rows).view(2, num_rows)
    rows = [(i - 2) % num_rows for i in range(first, first + count)]
    assert torch.equal(spread_modulo(values_BM, first=first, count=count), values_BM[:, rows])


@pytest.mark.parametrize("num_rows", [1, 3, 7, 50])
@pytest.mark.parametrize("first", [1, 2, 5, 9])
@pytest.mark.parametrize("count", [1, 4, 20])
def test_scaled_values_are_the_values_of_rows_times_numbers_of_ids(num_rows, first, count):
    torch.manual_seed(0)
    values_BM, scale_T, grad_BT = torch.randn(3, num_rows), torch.randn(count), torch.randn(3, count)
    sides = [(values_BM.clone().requires_grad_(), scale_T.clone().requires_grad_()) for _ in range(2)]
    found_BT = spread_scaled(*sides[0], first=first)
    wanted_BT = sides[1][0][:, modulo(torch.arange(first, first + count), num_rows)] * sides[1][1]
    assert torch.equal(found_BT, wanted_BT)
    found_BT.backward(grad_BT)
    wanted_BT.backward(grad_BT)
    for own, wanted in zip(*sides, strict=True):
        torch.testing.assert_close(own.grad, wanted.grad)
