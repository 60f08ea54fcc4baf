"""`make test-export` runs these, in an environment of their own."""

import numpy as np
import pytest
import torch

from memcom_rank.contract.errors import ExportError
from memcom_rank.embeddings import Full, LearnedHash, LowBit, MEmCom
from memcom_rank.export.device import DeviceRanker
from memcom_rank.models import LogSumExpMatch, PoolMatch
from memcom_rank.runtime import write_bundle
from tests.embeddings.techniques import TECHNIQUES
from tests.export.rankers import DIM, NUM_IDS, check_equal, ranker
from tests.runtime.bundles import FIELDS, pack_games

formats = pytest.importorskip("memcom_rank.export.litert_format", reason="make test-export", exc_type=ImportError)


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "match"), [(32, PoolMatch()), (8, LogSumExpMatch(match_dim=3)), (4, PoolMatch())])
def test_a_bundle_of_it_ranks_as_torch_does(bits, match, tmp_path):
    check(MEmCom(NUM_IDS, DIM, target_ratio=2), bits, match, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("MergeRare merged", 2),
        ("QuotientRemainder add", 8),
        ("Mec", 8),
        ("DoubleHash concat", 4),
        ("MemRec of three hashes and one", 8),
    ],
)
def test_maps_quotients_and_hashes(name, bits, tmp_path):
    torch.manual_seed(1)
    check(TECHNIQUES[name].make(NUM_IDS, DIM), bits, PoolMatch(), tmp_path)


def check(embedding, bits, match, tmp_path):
    device = DeviceRanker(ranker(embedding, match), bits=bits, k=9)
    kind = formats.FORMAT(6)
    made = kind.make(device)
    fields = {**FIELDS, "runtime": kind.runtime, "model": kind.file, "max_history": 6, "num_games": NUM_IDS - 2, "k": 9}
    games = pack_games([(str(game), str(game)) for game in range(NUM_IDS - 2)])
    write_bundle(tmp_path / "b", {kind.file: made.data, "games.gz": games}, fields)
    rank = kind.open(tmp_path / "b")
    for history in ([30], [1, 9, 5], [30, 9, 5, 2, 1, 7, 8]):
        history_1L = np.array([history])
        with torch.no_grad():
            wanted = [tensor.numpy() for tensor in device(torch.from_numpy(history_1L[:, -6:]))]
        check_equal(rank(history_1L), wanted)


@pytest.mark.slow
@pytest.mark.parametrize(("technique", "bits"), [(Full, 32), (Full, 8), (Full, 4), (MEmCom, 8), (LearnedHash, 8)])
def test_each_number_is_in_the_file_once(technique, bits):
    size = {} if technique is Full else {"target_ratio": 8}
    device = DeviceRanker(ranker(technique(20_000, 64, **size), PoolMatch()), bits=bits, k=9)
    made = formats.FORMAT(6).make(device)
    held = sum(size for name, size in made.sizes.items() if name != "graph")
    assert held < len(made.data) < held + formats.FORMAT.graph_bytes
    assert b"plain_operators" not in made.data  # where in our code a number came from


@pytest.mark.parametrize("kind", [MEmCom, LowBit])
def test_fp16_is_a_named_error(kind):
    """Tables, and the biases of games whose table was trained in few bits."""
    with pytest.raises(ExportError, match="no fp16 numbers"):
        formats.FORMAT(6).make(DeviceRanker(ranker(kind(NUM_IDS, DIM, target_ratio=2), PoolMatch()), bits=16, k=9))
