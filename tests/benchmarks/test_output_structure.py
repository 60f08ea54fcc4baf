import json
import sys

import torch

from benchmarks import output_structure


def test_every_drawing_of_values_gets_a_line_and_an_answer_that_was_compared(monkeypatch, capsys, tmp_path):
    small = "output_structure.py --num-ids 3000 --dim 16 --ratio 6 --seen 5 --queries 10"
    words = [*small.split(), "--threads", str(torch.get_num_threads()), "--output", str(tmp_path / "found.json")]
    monkeypatch.setattr(sys, "argv", words)
    output_structure.main()
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(output_structure.VALUES)
    results = json.loads((tmp_path / "found.json").read_text())["results"]
    assert [found["values"] for found in results] == list(output_structure.VALUES)
    assert all(0 < found["opened_share"] <= 2 for found in results)


def test_cancelling_biases_leave_scores_near_0():
    torch.manual_seed(0)
    args = output_structure.argparse.Namespace(num_ids=500, dim=8, queries=2)
    embedding, bias_V, queries = output_structure.drawn("adversarial: biases cancel the product", 3.0, args)
    for query_1D in queries:
        assert (embedding.score(query_1D)[:, 1:] + bias_V[1:]).abs().max() < 0.01
