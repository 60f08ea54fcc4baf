import itertools
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import train
from benchmarks import quality
from tests.benchmarks.steam_log import write_log


def write_users(folder, values):
    folder.mkdir()
    pq.write_table(pa.table({"user": list(values), "ndcg@10": list(values.values())}), folder / "users_test.parquet")
    return folder


def test_users_are_compared_over_their_seeds(tmp_path):
    first = [write_users(tmp_path / "a1", {7: 1.0, 8: 0.5}), write_users(tmp_path / "a2", {8: 0.25, 9: 0.0})]
    second = [write_users(tmp_path / "b1", {7: 0.0, 8: 0.75}), write_users(tmp_path / "b2", {8: 0.0, 9: 0.5})]
    found = quality.compared(first, second, "ndcg@10")
    assert (found.mean_a, found.mean_b, found.mean, found.users) == (1.25 / 4, 1.75 / 4, 0.5 / 4, 3)
    assert (found.low, found.high) == (-0.5, 1.0)  # one resample in 27 is user 9 alone, one is user 7 alone
    with pytest.raises(SystemExit, match="not tested on the same users"):
        quality.compared(first, second[::-1], "ndcg@10")


def test_recipes_are_compared_with_the_best_baseline_and_in_pairs(tmp_path):
    case = quality.Case([], {"ours": [], "other": []}, [("ours", "other")])
    values = {"weak": {1: 0.0, 2: 0.1}, "strong": {1: 0.2, 2: 0.2}, "ours": {1: 0.4, 2: 0.2}, "other": {1: 0.4, 2: 0.3}}
    folders = {name: [write_users(tmp_path / name, users)] for name, users in values.items()}
    size = {"embedding.bytes": 8, "embedding.ratio": 2.0, "model.bytes": 9, "epochs": 3, "wall_seconds": 1.5}
    for name, (run,) in folders.items():
        mean = sum(values[name].values()) / 2
        facts = {"test.ndcg@10": mean, "dataset.digest": "sha256:0", "synthetic.bayes.ndcg@10": 0.5, **size}
        (run / "summary.json").write_text(json.dumps(facts))
    rivals, runs = ({name: folders[name] for name in names} for names in (("weak", "strong"), ("ours", "other")))
    found = quality.collect(case, rivals, runs)
    assert [(pair["a"], pair["b"]) for pair in found["pairs"]] == [
        ("ours", "strong"),
        ("other", "strong"),
        ("ours", "other"),
    ]
    assert found["pairs"][0]["mean_percent"] == pytest.approx(50)
    assert (found["best_possible"], found["recipes"]["ours"]["embedding.bytes"]) == (0.5, 8)
    table = quality.markdown("toy", found, [1])
    assert "| ours | 8 | 9 | 0.3000 | 150.0% | 3 | 2 |" in table
    assert "| best possible | - | - | 0.5000 | 250.0% | - | - |" in table
    assert "| ours | strong | +0.1000 | +50.0% [" in table


@pytest.mark.slow
def test_the_whole_way_and_nothing_twice(tmp_path, monkeypatch, capsys):
    data, output, pair = tmp_path / "steam-200k", tmp_path / "out", quality.CASES["steam"].pairs[-1]
    data.mkdir()
    write_log(data / "steam-200k.csv")
    places = f"--data {tmp_path} --work {tmp_path / 'work'} --output {output}"
    words = f"quality.py steam {places} --seeds 4 --trainer.max_epochs 2 --data.batch_size 16 --recipes"
    monkeypatch.setattr(sys, "argv", [*words.split(), *pair])
    quality.main()
    found = json.loads((output / "quality_steam.json").read_text())
    memcom, naive = (found["recipes"][name] for name in pair)
    assert 0.9 < memcom["embedding.bytes"] / naive["embedding.bytes"] <= 1.1
    assert set(found["baselines"]) == {"popularity", "ease", "item_knn", "ials", "bpr"}
    (told,) = (p for p in found["pairs"] if (p["a"], p["b"]) == pair)
    gap = memcom["values"][0] - naive["values"][0]
    assert told["users"] == 60
    assert told["mean"] == pytest.approx(gap, abs=1e-6)
    assert told["low"] <= gap <= told["high"]
    table = (output / "quality_steam.md").read_text()
    assert all(f"| {name} |" in table for name in (*found["baselines"], *pair))
    capsys.readouterr()

    def refused(words, folder):
        raise AssertionError(words)

    monkeypatch.setattr(quality, "command", refused)
    quality.main()
    assert capsys.readouterr().out == table
    assert json.loads((output / "quality_steam.json").read_text()) == found


def test_an_unknown_recipe_is_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["quality.py", "gowalla", "--data", "x", "--work", "y", "--recipes", "magic"])
    with pytest.raises(SystemExit):
        quality.main()
    assert "unknown recipes ['magic']" in capsys.readouterr().err


@pytest.mark.parametrize("name", quality.CASES)
def test_the_recipes_of_a_case_are_configurations(name):
    for words in quality.CASES[name].recipes.values():
        configs = [word for flag, word in itertools.pairwise(words) if flag == "--config"]
        assert all((train.CONFIGS / config).is_file() for config in configs), words
