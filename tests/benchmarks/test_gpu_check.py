import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu_check import sample
from memcom_rank.data.dataset import RankingDataset
from tests.data.tiny import two_clusters, write_tables

ROOT = Path(__file__).parents[2]

# An absent package has neither a module nor metadata; Lightning looks at both.
WITHOUT_EXTRAS = """
import importlib.metadata, runpy, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("polars", "wandb", "jsonargparse"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
for look in ("version", "distribution"):
    def hidden(name, known=getattr(importlib.metadata, look)):
        if name in ("polars", "wandb", "jsonargparse"):
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)
    setattr(importlib.metadata, look, hidden)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(*words):
    command = [sys.executable, "-c", WITHOUT_EXTRAS, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)


@pytest.mark.slow
def test_runs_without_polars_wandb_and_jsonargparse(tmp_path):
    dataset = two_clusters(tmp_path / "clusters", users=60, games=120)
    output = tmp_path / "results" / "found.json"
    done = run("benchmarks/gpu_check.py", dataset, "--accelerator", "cpu", "--users-evaluated", 20, "--output", output)
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    assert found["users_evaluated"] == 20
    assert found["best_possible_ndcg@10"] is None
    for precision in ("32-true", "bf16-mixed"):
        values = found["precisions"][precision]
        assert values["pairs_per_second"] > 0
        assert 0 <= values["test/ndcg@10"] <= values["test/ndcg"] <= 1
        assert values["embedding_bytes"] * 32 <= values["embedding_full_bytes"]
        assert f"| {precision} | CPU |" in done.stdout


def test_a_sample_is_a_part_of_the_users_with_their_own_games(tmp_path):
    folder = write_tables(tmp_path, histories=[[2], [3, 4], [5], [2, 5], [6]], test={0: [3], 1: [2], 3: [4], 4: [2]})
    whole = RankingDataset(folder).queries("test")
    part = sample(whole, 2)
    assert len(set(part.rows.tolist())) == 2
    for n, row in enumerate(part.rows.tolist()):
        m = whole.rows.tolist().index(row)
        for mine, theirs in zip(part[1:], whole[1:], strict=True):
            assert torch.equal(mine.padded(torch.tensor([n])), theirs.padded(torch.tensor([m])))
    for all_there_are in (4, 100):
        assert torch.equal(sample(whole, all_there_are).rows, whole.rows)
