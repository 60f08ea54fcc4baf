"""Conformance of all techniques: two processes of DDP."""

import os
from pathlib import Path

import pytest
import torch

from memcom_rank.embeddings.hashing import hash_constants, modulo, polynomial_hash
from tests.embeddings import two_ranks
from tests.embeddings.techniques import DIM, NUM_IDS, TECHNIQUES
from tests.test_distributed import together


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two ranks ended with, by name."""
    folder = tmp_path_factory.mktemp("ranks")
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    files = [str(folder / f"{rank}.pt") for rank in range(2)]
    commands = [
        # no hash may be that of Python, which is another one in every process
        ([two_ranks.__file__, str(rank), str(folder / "meet"), file], {"PYTHONPATH": path, "PYTHONHASHSEED": str(rank)})
        for rank, file in enumerate(files)
    ]
    found = together(folder, *commands)
    assert [status for status, _, _ in found] == [0, 0], [err for _, _, err in found]
    return [torch.load(file, weights_only=True) for file in files]


@pytest.mark.slow
def test_hashes_are_the_same_on_every_rank(ranks):
    ids = torch.arange(NUM_IDS)
    wanted = {f"hash {n}": polynomial_hash(ids, hash_constants(n), 7) for n in range(8)} | {"modulo": modulo(ids, 7)}
    for found in ranks:
        torch.testing.assert_close(found["hashes"], wanted, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", TECHNIQUES)
def test_two_ranks_of_ddp_train_the_same_weights(ranks, name):
    one, other = (found[name] for found in ranks)
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    torch.manual_seed(0)
    before = TECHNIQUES[name].make(NUM_IDS, DIM).state_dict()
    assert before.keys() == one.keys()
    assert any(not torch.equal(one[key], before[key]) for key in one)
