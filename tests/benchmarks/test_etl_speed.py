import json
import sys

import pytest

from benchmarks import etl_speed
from tests.benchmarks.steam_log import write_log


def test_epoch_lines_are_read():
    line = "epoch {:3d}/40  loss 0.5  val/ndcg@10 0.3001 *     12,345 rows/s  {:5.1f} s\n"
    assert etl_speed.epoch_seconds("run x\n" + line.format(1, 3.2) + line.format(12, 10.4) + "took 3.0 s") == [
        3.2,
        10.4,
    ]


@pytest.mark.slow
def test_everything_gets_a_line(tmp_path, monkeypatch, capsys):
    output = tmp_path / "found.json"
    words = f"etl_speed.py --input {write_log(tmp_path / 'log.csv')} --repeats 1 --output {output}"
    monkeypatch.setattr(sys, "argv", words.split())
    etl_speed.main()
    found = json.loads(output.read_text())["seconds"]
    assert len(found) == 6
    assert found["fit of three epochs, with its test and the baselines"] > found["python -m data_prep --help"] > 0
    table = capsys.readouterr().out
    assert all(f"| {name} | {seconds:.2f} |" in table for name, seconds in found.items())
