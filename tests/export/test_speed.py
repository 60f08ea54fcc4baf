import pytest

from memcom_rank.export.onnx_format import OnnxFormat
from memcom_rank.export.speed import speed
from memcom_rank.runtime import Ranker, write_bundle
from tests.runtime.bundles import FIELDS, GAMES, model_bytes, pack_games


@pytest.mark.slow
def test_times_and_memory_are_those_of_a_bundle(tmp_path):
    write_bundle(tmp_path / "b", {"model.onnx": model_bytes(), "games.gz": pack_games(GAMES)}, FIELDS)
    found = speed(
        Ranker.load(tmp_path / "b").rank_ids, tmp_path / "b", OnnxFormat().probe(), [[2, 3] * 40_000, [5]]
    )  # no command line is so long
    assert 0 < found.p50 <= found.p95
    assert found.cold_start > 0
    assert found.peak_bytes is None or found.peak_bytes >= 0
