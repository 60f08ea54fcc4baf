import pytest

from memcom_rank.embeddings import MEmCom
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.onnx_format import OnnxFormat
from memcom_rank.models import PoolMatch
from tests.export.rankers import DIM, NUM_IDS, ranker


@pytest.mark.slow
def test_its_bytes_are_those_of_the_parts():
    made = OnnxFormat().make(DeviceRanker(ranker(MEmCom(NUM_IDS, DIM, target_ratio=2), PoolMatch()), bits=32, k=3))
    assert sum(made.sizes.values()) == len(made.data)
