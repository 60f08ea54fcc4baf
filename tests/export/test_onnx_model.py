"""Conformance: every technique, at full precision and in few bits, ranks in onnxruntime as it does in torch."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from memcom_rank.embeddings import Full, LowBit, MEmCom
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.onnx_model import idle_model, onnx_model
from memcom_rank.models import MixtureMatch, PoolMatch
from tests.embeddings.techniques import TECHNIQUES
from tests.export.rankers import DIM, NUM_IDS, check_equal, histories, ranker, session

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]  # a trace takes seconds
SMALL = 128  # bytes: constants of shapes and hashes


def exported(embedding, bits, match=None):
    """Return the file and what it was traced from."""
    device = DeviceRanker(ranker(embedding, match), bits=bits, k=9)
    return onnx_model(device), device


def check(embedding, bits, match=None):
    model, device = exported(embedding, bits, match)
    own = session(model)
    for history_BL in histories():
        with torch.no_grad():
            wanted = [tensor.numpy() for tensor in device(history_BL)]
        check_equal(own.run(["ids", "scores"], {"history": history_BL.numpy()}), wanted)
    check_numbers(model, device, bits)


def check_numbers(model, device, bits):
    """Walk the file's numbers: each of the model's once, as it is stored, and nothing large beside them."""
    stored = {name: tensor for name, tensor in device.state_dict().items() if tensor.numel()}
    wanted = Counter((str(t.numpy().dtype), t.numel() * t.itemsize, t.numpy().tobytes()) for t in stored.values())
    numbers = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    numbers += [onnx.numpy_helper.to_array(attribute.t) for attribute in attributes if attribute.HasField("t")]
    found = Counter((str(n.dtype), n.nbytes, n.tobytes()) for n in numbers)
    large = {key: count for key, count in found.items() if key[1] > SMALL}
    assert all(count <= wanted[key] for key, count in large.items()), [key[:2] for key in large if key not in wanted]
    if bits < 32:
        assert not [n.shape for n in numbers if n.dtype == np.float32 and n.ndim > 1 and n.nbytes > SMALL]
    assert not [one for one in model.graph.initializer if one.external_data or one.data_location]


@pytest.mark.parametrize("bits", [32, 4])
@pytest.mark.parametrize("name", TECHNIQUES)
def test_every_technique_ranks_as_in_torch(name, bits):
    torch.manual_seed(1)
    check(TECHNIQUES[name].make(NUM_IDS, DIM), bits)


@pytest.mark.parametrize("bits", [16, 8, 2])
def test_bits_between(bits):
    check(MEmCom(NUM_IDS, DIM, target_ratio=2), bits)


@pytest.mark.parametrize("trained_bits", [1, 3])
def test_bits_that_are_only_trained(trained_bits):
    check(LowBit(NUM_IDS, DIM, bits=trained_bits, target_ratio=4), 32)


@pytest.mark.parametrize("match", [PoolMatch(), MixtureMatch()])
def test_every_matcher(match):
    check(Full(NUM_IDS, DIM), 8, match)


def test_an_idle_model_is_idle():
    own = session(onnx.load_from_string(idle_model()))
    assert own.run(None, {"x": np.ones(1, np.float32)})[0] == [1]
