import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import steam_quality
from tests.benchmarks.steam_log import write_log


def write_users(folder, values):
    folder.mkdir()
    pq.write_table(pa.table({"user": list(values), "ndcg@10": list(values.values())}), folder / "users_test.parquet")
    return folder


def test_users_are_compared_over_their_seeds(tmp_path):
    first = [write_users(tmp_path / "a1", {7: 1.0, 8: 0.5}), write_users(tmp_path / "a2", {8: 0.25, 9: 0.0})]
    second = [write_users(tmp_path / "b1", {7: 0.0, 8: 0.75}), write_users(tmp_path / "b2", {8: 0.0, 9: 0.5})]
    found = steam_quality.compared(first, second)
    assert (found.mean_a, found.mean_b, found.mean, found.users) == (1.25 / 4, 1.75 / 4, 0.5 / 4, 3)
    assert (found.low, found.high) == (-0.5, 1.0)  # one resample in 27 is user 9 alone, one is user 7 alone
    with pytest.raises(SystemExit, match="not tested on the same users"):
        steam_quality.compared(first, second[::-1])


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
