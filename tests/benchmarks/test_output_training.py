import argparse
import json
import sys

import torch

from benchmarks import output_training
from memcom_rank.models import match


def test_the_ways_of_a_technique_have_the_same_loss_and_gradients(monkeypatch):
    monkeypatch.setattr(match, "_MAX_SCORES", 2000)
    options = argparse.Namespace(num_ids=300, dim=8, batch=16, length=5, ratio=4.0)
    problem = output_training.Problem(options)
    ways = problem.ways()
    for names, ranker in (
        ((output_training.STRUCTURE, output_training.DENSE), problem.memcom),
        ((output_training.FULL, output_training.FULL_TILED), problem.full),
    ):
        found = []
        for name in names:
            loss = ways[name]()
            found.append([loss, *(parameter.grad.clone() for parameter in ranker.parameters())])
        torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)


def test_every_way_gets_a_line(monkeypatch, capsys, tmp_path):
    small = "output_training.py --num-ids 2000 --dim 64 --batch 32 --length 5 --ratio 16 --repeats 1"
    words = [*small.split(), "--threads", str(torch.get_num_threads()), "--output", str(tmp_path / "found.json")]
    monkeypatch.setattr(sys, "argv", words)
    output_training.main()
    results = json.loads((tmp_path / "found.json").read_text())["results"]
    assert len(capsys.readouterr().out.splitlines()) == 4 + len(results) == 8
    assert results[output_training.STRUCTURE]["peak_bytes"] < results[output_training.DENSE]["peak_bytes"]
