import numpy as np
import pytest
import torch

from memcom_rank.embeddings import MEmCom
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.executorch_format import ExecutorchFormat
from memcom_rank.export.speed import speed
from memcom_rank.models import PoolMatch
from memcom_rank.runtime import write_bundle
from tests.export.rankers import DIM, NUM_IDS, check_equal, ranker
from tests.runtime.bundles import FIELDS, pack_games


@pytest.mark.slow
def test_a_bundle_of_it_ranks_the_last_games_and_is_measured(tmp_path):
    device = DeviceRanker(ranker(MEmCom(NUM_IDS, DIM, target_ratio=2), PoolMatch()), bits=8, k=9)
    kind = ExecutorchFormat(6)
    made = kind.make(device)
    assert sum(made.sizes.values()) == len(made.data)
    fields = {**FIELDS, "runtime": kind.runtime, "model": kind.file, "max_history": kind.max_history}
    fields |= {"num_games": NUM_IDS - 2, "k": 9}
    games = pack_games([(str(game), str(game)) for game in range(NUM_IDS - 2)])
    write_bundle(tmp_path / "b", {kind.file: made.data, "games.gz": games}, fields)
    rank = kind.open(tmp_path / "b")
    history_1L = np.array([[30, 9, 5, 2, 1, 7, 8]])
    with torch.no_grad():
        wanted = [tensor.numpy() for tensor in device(torch.from_numpy(history_1L[:, 1:]))]
    check_equal(rank(history_1L), wanted)
    found = speed(rank, tmp_path / "b", kind.probe(), [[2, 3], [5]])
    assert 0 < found.p50 <= found.p95
    assert found.cold_start > 0
