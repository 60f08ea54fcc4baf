import torch
from hypothesis import given
from hypothesis import strategies as st

from memcom_rank.embeddings.hashing import modulo, spread_modulo


def test_the_most_popular_games_get_a_row_each_and_the_unknown_id_the_last():
    assert modulo(torch.tensor([2, 3, 4, 5, 1]), 3).tolist() == [0, 1, 2, 0, 2]


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 70))
def test_spread_equals_a_gather(first, count, num_rows):
    values_BM = torch.arange(2 * num_rows).view(2, num_rows)
    rows = [(i - 2) % num_rows for i in range(first, first + count)]
    assert torch.equal(spread_modulo(values_BM, first=first, count=count), values_BM[:, rows])
