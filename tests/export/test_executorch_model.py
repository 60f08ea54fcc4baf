"""Conformance: every technique, at full precision or in few bits, ranks in ExecuTorch as it does in torch.

Each technique with bits and a matcher in turn (`cover.py`), and a few of them with all bits and matchers.
"""

import pytest
import torch

from memcom_rank.embeddings import Full, LowBit, MEmCom
from memcom_rank.export import executorch_model as module
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.executorch_format import Runtime
from memcom_rank.export.executorch_model import executorch_model
from memcom_rank.export.formats import held_by_part
from memcom_rank.models import MixtureMatch, PoolMatch
from tests.embeddings.techniques import TECHNIQUES
from tests.export.cover import COVER
from tests.export.rankers import DIM, NUM_IDS, check_equal, histories, ranker

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]  # a trace takes seconds


def check(embedding, bits, match=None):
    device = DeviceRanker(ranker(embedding, match), bits=bits, k=9)
    program = executorch_model(device, 64)  # the runtime reads these bytes, and does not keep them alive
    method = Runtime.get().load_program(program).load_method("forward")
    for history_BL in histories():
        for history_L in history_BL if history_BL.shape[1] else []:
            with torch.no_grad():
                wanted = [tensor.numpy() for tensor in device(history_L[None])]
            check_equal([tensor.numpy() for tensor in method.execute([history_L[None].contiguous()])], wanted)


@pytest.mark.parametrize(("name", "bits", "match"), COVER)
def test_every_technique_ranks_as_in_torch(name, bits, match):
    torch.manual_seed(1)
    check(TECHNIQUES[name].make(NUM_IDS, DIM), bits, match())


@pytest.mark.parametrize(("name", "bits"), [("MergeRare merged", 2), ("DoubleHash concat", 4), ("Mec", 8)])
def test_maps_and_hashes(name, bits):
    torch.manual_seed(1)
    check(TECHNIQUES[name].make(NUM_IDS, DIM), bits, PoolMatch())


@pytest.mark.parametrize("bits", [32, 16, 8, 4, 2])
def test_all_bits(bits):
    check(MEmCom(NUM_IDS, DIM, target_ratio=2), bits)


@pytest.mark.parametrize("trained_bits", [1, 3])
def test_bits_that_are_only_trained(trained_bits):
    check(LowBit(NUM_IDS, DIM, bits=trained_bits, target_ratio=4), 32)


@pytest.mark.parametrize(("match", "bits"), [(PoolMatch(), 4), (PoolMatch(), 2), (MixtureMatch(), 8)])
def test_every_matcher(match, bits):
    check(Full(NUM_IDS, DIM), bits, match)


def test_an_export_leaves_the_next_as_it_was():
    """`to_edge` lengthens the list of operations that it is handed: ours had doubled each time."""
    kept = list(module._KEPT)
    check(Full(NUM_IDS, DIM), 8)
    assert list(module._KEPT) == kept


@pytest.mark.parametrize("bits", [32, 4])
def test_each_number_is_in_the_file_once(bits):
    device = DeviceRanker(ranker(Full(20_000, 64), PoolMatch()), bits=bits, k=9)
    held = sum(held_by_part(device).values())
    assert held < len(executorch_model(device, 64)) < held + 64 * 1024
