import torch
from hypothesis import given
from hypothesis import strategies as st

from memcom_rank.embeddings.hashing import hash_constants, hashed, modulo, spread_modulo


def test_the_most_popular_games_get_a_row_each_and_the_unknown_id_the_last():
    assert modulo(torch.tensor([2, 3, 4, 5, 1]), 3).tolist() == [0, 1, 2, 0, 2]


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 70))
def test_spread_equals_a_gather(first, count, num_rows):
    values_BM = torch.arange(2 * num_rows).view(2, num_rows)
    rows = [(i - 2) % num_rows for i in range(first, first + count)]
    assert torch.equal(spread_modulo(values_BM, first=first, count=count), values_BM[:, rows])


@given(st.integers(0, 2**31 - 1), st.integers(1, 2**31 - 1), st.integers(0, 2000))
def test_universal_hashes_equal_pythons_integers_up_to_the_largest_id(i, num_rows, number):
    a, b = hash_constants(number)
    wanted = (a * (i - 2) + b) % (2**31 - 1) % num_rows
    for dtype in (torch.int32, torch.int64):
        found = hashed(torch.tensor([i], dtype=dtype), num_rows, number)
        assert (found.item(), found.dtype) == (wanted, dtype)


def test_universal_hashes_spread_ids_and_numbers_disagree():
    rows = [hashed(torch.arange(2, 10_002), 50, number) for number in range(4)]
    for number, mine in enumerate(rows):
        assert torch.bincount(mine, minlength=50).float().std() < 40  # of a mean of 200
        assert all((mine == other).float().mean() < 0.04 for other in rows[:number])


def test_hash_constants_are_those_of_splitmix64():
    # its first output for seed 0 is 0xE220A8397B1DCDAF
    assert hash_constants(0)[0] == 0xE220A8397B1DCDAF % (2**31 - 2) + 1
