"""`make test-export` runs these, in an environment of their own; predictions need macOS."""

import io
import zipfile

import pytest

from memcom_rank.contract.errors import ExportError
from memcom_rank.embeddings import Full, MEmCom
from memcom_rank.export.device import DeviceRanker
from memcom_rank.models import PoolMatch
from tests.export.rankers import DIM, NUM_IDS, ranker

formats = pytest.importorskip("memcom_rank.export.coreml_format", reason="make test-export", exc_type=ImportError)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [32, 8, 4])
def test_a_package_holds_each_number_once(bits, tmp_path):
    device = DeviceRanker(ranker(Full(20_000, 64), PoolMatch()), bits=bits, k=9)
    made = formats.FORMAT(6).make(device)
    held = sum(size for name, size in made.sizes.items() if name != "graph")
    assert held < len(made.data) < held + formats.FORMAT.graph_bytes
    names = zipfile.ZipFile(io.BytesIO(made.data)).namelist()
    assert any(name.endswith("weights/weight.bin") for name in names)
    assert formats.FORMAT().open(tmp_path) is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # coremltools leaves a folder behind
def test_what_coremltools_refuses_is_a_named_error():
    device = DeviceRanker(ranker(MEmCom(NUM_IDS, DIM, target_ratio=2), PoolMatch()), bits=8, k=9)
    with pytest.raises(ExportError, match="coremltools does not convert this model"):
        formats.FORMAT(6).make(device)
