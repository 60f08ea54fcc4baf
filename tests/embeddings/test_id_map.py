import pytest
import torch

from memcom_rank.embeddings.id_map import IdMap, bits_for
from memcom_rank.embeddings.quantise import unpack


@pytest.mark.parametrize(("size", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (256, 8), (257, 9)])
def test_bits_are_the_fewest_that_hold_every_number(size, bits):
    assert bits_for(size) == bits


def test_numbers_come_back_by_id_and_from_rest():
    codes_VK = torch.randint(0, 5, (11, 3), generator=torch.Generator().manual_seed(0))
    made = IdMap(11, 5, columns=3)
    made.set(codes_VK)
    ids = torch.tensor([[4, 0], [10, 4]])
    assert torch.equal(made(ids), codes_VK[ids].int())
    assert torch.equal(torch.cat(made.split(4, 1)), codes_VK[1:].int())
    assert [len(part) for part in made.split(4, 1)] == [4, 4, 2]
    packed = made.at_rest()["codes"]
    assert packed.nbytes == IdMap.bytes_of(11, 5, columns=3) == -(-11 * 3 * 3 // 8)
    assert torch.equal(unpack(packed, 3, 33).view(11, 3), codes_VK)


@pytest.mark.parametrize("file", [False, True])
def test_it_knows_whether_it_was_set_also_from_a_file(file):
    made, other = IdMap(7, 3), IdMap(7, 3)
    assert not made.learned
    made.set(torch.tensor([0, 1, 2, 0, 1, 2, 1]))
    other.load_state_dict(made.state_dict())
    assert (other if file else made).learned


def test_until_set_ids_are_spread_and_the_numbers_survive_a_checkpoint():
    made, other = IdMap(7, 3), IdMap(7, 3)
    assert made(torch.arange(7)).flatten().tolist() == [0, 1, 2, 0, 1, 2, 0]
    made.set(torch.tensor([2, 2, 2, 1, 1, 1, 0]))
    other.load_state_dict(made.state_dict())
    assert torch.equal(other.codes, made.codes)
