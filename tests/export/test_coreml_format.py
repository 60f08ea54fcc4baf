"""Run with all others where coremltools is, and by `make test-export` in an environment of their own.

Core ML's programs are run by `mil.py`: its own runtime is on Apple's systems alone.
"""

import zipfile
from io import BytesIO

import numpy as np
import pytest
import torch

from memcom_rank.contract.errors import ExportError
from memcom_rank.embeddings import Full, LearnedHash, MEmCom
from memcom_rank.export.device import DeviceRanker
from memcom_rank.models import LogSumExpMatch, MixtureMatch, PoolMatch
from tests.embeddings.techniques import TECHNIQUES
from tests.export.cover import COVER
from tests.export.mil import Package
from tests.export.rankers import DIM, NUM_IDS, check_equal, ranker

formats = pytest.importorskip("memcom_rank.export.coreml_format", reason="make test-export", exc_type=ImportError)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.no_cover,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # coremltools leaves a folder behind
    pytest.mark.filterwarnings("ignore::UserWarning:coremltools"),
]


def made(embedding, bits, match=None):
    """Return the package, what it was made of, and the bytes of its parts."""
    device = DeviceRanker(ranker(embedding, match), bits=bits, k=9)
    package = formats.FORMAT(6).make(device)
    return package, device


def check(embedding, bits, match=None):
    package, device = made(embedding, bits, match)
    program = Package(package.data)
    for history in ([30], [], [1, 9, 5], [40, 39, 38, 37, 36, 35], [1, NUM_IDS, -4, 2**31 - 1, 2, 2]):
        history_1L = np.array([history + [0] * (6 - len(history))], np.int32)
        with torch.no_grad():
            wanted = [tensor.numpy() for tensor in device(torch.from_numpy(history_1L).long())]
        check_equal(program.run(history_1L), wanted)


@pytest.mark.parametrize(("name", "bits", "match"), [one for one in COVER if one[0] != "Mec"])
def test_techniques_rank_as_in_torch(name, bits, match):
    torch.manual_seed(1)
    check(TECHNIQUES[name].make(NUM_IDS, DIM), bits, match())


@pytest.mark.parametrize("bits", [32, 16, 8, 4, 2])
def test_shared_rows_of_all_bits(bits):
    check(MEmCom(NUM_IDS, DIM, target_ratio=2), bits, PoolMatch())


def test_codes_of_pieces():
    torch.manual_seed(1)
    check(TECHNIQUES["Mec"].make(NUM_IDS, DIM), 8, PoolMatch())


@pytest.mark.parametrize("match", [LogSumExpMatch(match_dim=3), MixtureMatch()])
def test_every_matcher(match):
    check(Full(NUM_IDS, DIM), 8, match)


@pytest.mark.parametrize(("technique", "bits"), [(Full, 32), (Full, 8), (Full, 4), (MEmCom, 8), (LearnedHash, 8)])
def test_a_package_holds_each_number_once(technique, bits, tmp_path):
    size = {} if technique is Full else {"target_ratio": 8}
    package, device = made(technique(20_000, 64, **size), bits, PoolMatch())
    held = sum(size for part, size in package.sizes.items() if part != "graph")
    assert held < len(package.data) < held + formats.FORMAT.graph_bytes
    names = zipfile.ZipFile(BytesIO(package.data)).namelist()
    assert any(one.endswith("weights/weight.bin") for one in names)
    stored = {tuple(tensor.shape) for tensor in device.state_dict().values()}
    beside = [numbers for numbers in Package(package.data).numbers.values() if numbers.shape not in stored]
    assert all(numbers.size <= 256 or not numbers.any() for numbers in beside)  # zeros: what `linear` adds
    assert formats.FORMAT().open(tmp_path) is None


def test_codes_of_pieces_in_narrow_comparisons_are_a_named_error():
    with pytest.raises(ExportError, match="coremltools does not convert this model"):
        made(TECHNIQUES["Mec"].make(NUM_IDS, DIM), 8, LogSumExpMatch(match_dim=3))


def test_what_coremltools_refuses_is_a_named_error(monkeypatch):
    def refuse(*args, **options):
        raise NotImplementedError("no such operation")

    monkeypatch.setattr(formats.coremltools, "convert", refuse)
    with pytest.raises(ExportError, match="coremltools does not convert this model: no such operation"):
        made(Full(NUM_IDS, DIM), 8, PoolMatch())
