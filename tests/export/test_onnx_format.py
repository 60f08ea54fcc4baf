import pytest

from memcom_rank.embeddings import DeepHash, MEmCom, ResidualCodes
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.limits import check_bytes
from memcom_rank.export.onnx_format import OnnxFormat
from memcom_rank.models import PoolMatch
from tests.export.rankers import DIM, NUM_IDS, ranker


@pytest.mark.slow
def test_its_bytes_are_those_of_the_parts():
    made = OnnxFormat().make(DeviceRanker(ranker(MEmCom(NUM_IDS, DIM, target_ratio=2), PoolMatch()), bits=32, k=3))
    assert sum(made.sizes.values()) == len(made.data)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize("kind", [DeepHash, ResidualCodes])
def test_constants_that_are_held_and_not_stored_are_of_the_embedding_too(kind, bits):
    """With as many hashes and codes as the overlays have: a few would be folded into the graph."""
    made = OnnxFormat().make(DeviceRanker(ranker(kind(2000, 16, target_ratio=1.5), PoolMatch()), bits=bits, k=3))
    check_bytes(made.sizes, made.held, OnnxFormat().graph_bytes)
