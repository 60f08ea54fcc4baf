import argparse
import json
import sys

import pytest
import torch

from benchmarks import softmax_memory
from memcom_rank.models import match

CPU = torch.device("cpu")


def test_the_peak_is_what_is_held_at_once():
    def step():
        first = torch.ones(1000)
        second = first + 1  # 8000 bytes with the first
        del first, second
        torch.ones(1500)

    assert softmax_memory.peak_bytes(step, CPU) == pytest.approx(8000, abs=200)  # rounded up by the allocator


def test_tiles_take_less_memory_than_the_whole_and_both_get_a_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(match, "_MAX_SCORES", 2000)
    small = "softmax_memory.py --num-ids 2000 --dim 64 --batch 32 64 --length 5 --repeats 1"
    words = [*small.split(), "--threads", str(torch.get_num_threads()), "--output", str(tmp_path / "a/found.json")]
    monkeypatch.setattr(sys, "argv", words)
    softmax_memory.main()
    lines = capsys.readouterr().out.splitlines()
    results = json.loads((tmp_path / "a/found.json").read_text())["results"]
    assert len(lines) == 2 + len(results) == 2 + 2 * len(softmax_memory.TECHNIQUES)
    for found in results:
        assert found["tiled"]["tiles"] > 30
        assert found["plain"]["peak_bytes"] > 2 * 4 * 2000 * found["users"]
        compressed = found["embedding"] != "full table"
        assert found["tiled"]["peak_bytes"] <= found["plain"]["peak_bytes"] / (4 if compressed else 1)


def test_both_ways_give_the_same_gradients(monkeypatch):
    monkeypatch.setattr(match, "_MAX_SCORES", 2000)
    options = argparse.Namespace(num_ids=300, dim=8, length=5, device="cpu")
    problem = softmax_memory.Problem("full table", 16, options)
    problem.ranker.eval()  # no dropout
    gradients = []
    for step in (problem.plain, problem.tiled):
        step()
        gradients.append([parameter.grad.clone() for parameter in problem.ranker.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-6)
