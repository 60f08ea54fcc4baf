import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import steam_quality
from tests.benchmarks.steam_log import write_log


def write_users(folder, values):
    folder.mkdir()
    pq.write_table(pa.table({"user": list(values), "ndcg@10": list(values.values())}), folder / "users_test.parquet")
    return folder


def test_differences_are_gathered_by_user_over_seeds(tmp_path):
    first = [write_users(tmp_path / "a1", {7: 1.0, 8: 0.5}), write_users(tmp_path / "a2", {8: 0.25, 9: 0.0})]
    second = [write_users(tmp_path / "b1", {7: 0.0, 8: 0.75}), write_users(tmp_path / "b2", {8: 0.0, 9: 0.5})]
    sums, counts = steam_quality.differences(first, second)
    assert sums.tolist() == [1.0, -0.25 + 0.25, -0.5]
    assert counts.tolist() == [1, 2, 1]
    with pytest.raises(SystemExit, match="not tested on the same users"):
        steam_quality.differences(first, second[::-1])


def test_the_interval_is_that_of_a_ratio_of_user_totals():
    draw = np.random.default_rng(1)
    counts = draw.integers(1, 4, size=400)
    sums = counts * draw.normal(0.05, 0.3, size=400)
    mean, low, high = steam_quality.interval(sums, counts)
    assert mean == pytest.approx(sums.sum() / counts.sum())
    error = 1.96 * np.std(sums - mean * counts) / np.sqrt(400) / counts.mean()  # delta method
    assert (low, high) == pytest.approx((mean - error, mean + error), abs=0.1 * error)


@pytest.mark.slow
def test_the_whole_way_and_nothing_twice(tmp_path, monkeypatch, capsys):
    output = tmp_path / "out" / "found.json"
    places = f"--input {write_log(tmp_path / 'log.csv')} --work {tmp_path / 'work'} --output {output}"
    words = f"steam_quality.py {places} --seeds 4 --trainer.max_epochs 2 --data.batch_size 16 --techniques"
    monkeypatch.setattr(sys, "argv", [*words.split(), *steam_quality.PAIR])
    steam_quality.main()
    found = json.loads(output.read_text())
    memcom, naive = (found["techniques"][name][0] for name in steam_quality.PAIR)
    assert 0.9 < memcom["embedding.bytes"] / naive["embedding.bytes"] <= 1.1
    assert found["paired"]["users"] == 60
    gap = memcom["ndcg@10"] - naive["ndcg@10"]
    assert found["paired"]["mean"] == pytest.approx(gap, abs=1e-6)
    assert found["paired"]["low"] <= gap <= found["paired"]["high"]
    table = output.with_suffix(".md").read_text()
    assert all(f"| {name} |" in table for name in ("popularity", "ease", *steam_quality.PAIR))
    capsys.readouterr()

    def refused(words, folder):
        raise AssertionError(words)

    monkeypatch.setattr(steam_quality, "command", refused)
    steam_quality.main()
    assert capsys.readouterr().out == table
    assert json.loads(output.read_text()) == found
