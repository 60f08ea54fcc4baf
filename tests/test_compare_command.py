import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
import torch
import wandb

import train
from memcom_rank import compare_command
from memcom_rank.__main__ import main
from memcom_rank.compare import schedule
from memcom_rank.compare_command import launcher, visible_gpus
from tests.command import SMALL
from tests.compare.test_schedule import Trainer

TINY = ("--techniques", "memcom", "--ratios", "2", "--seeds", "1")


def compare(cwd, *words):
    with contextlib.chdir(cwd):
        return main(["compare", *map(str, words)])


def asked(tiny, *words, config="compare.yaml"):
    return ("--config", config, "--data.path", tiny, *TINY, "--output", "out", *words)


@pytest.fixture
def fake(monkeypatch):
    """Puts a stand-in for train.py in place; returns the fates of cells, by title."""
    fates = {}

    class Any(dict):
        """Every title is a cell; what a test asks of them does not depend on it."""

        def __missing__(self, title):
            ratio = next((float(word[:-1]) for word in title.split() if word.endswith("x")), None)
            return type("Cell", (), {"seed": int(title.split()[-1]), "target_ratio": ratio})

    trainer = Trainer([], fates=fates)
    trainer.cells = Any()
    monkeypatch.setattr(schedule, "POLL_SECONDS", 0)
    monkeypatch.setattr(compare_command, "launcher", lambda *arguments: trainer)
    monkeypatch.setattr(compare_command, "visible_gpus", list)
    return trainer


def test_outputs_are_there_and_a_finished_comparison_runs_nothing(tiny, tmp_path, fake, capsys):
    assert compare(tmp_path, *asked(tiny)) == 0
    out = capsys.readouterr().out
    assert "[1/2] ranknet full seed 1" in out
    assert "| memcom | 2x | 2.0x | 32,000 |" in out
    assert "2 of 2 cells finished" in out.splitlines()
    files = ("results.parquet", "results.md", "pareto.png", "pareto.svg")
    assert all((tmp_path / "out" / name).stat().st_size for name in files)
    assert len(fake.started) == 2
    assert compare(tmp_path, *asked(tiny)) == 0
    assert len(fake.started) == 2
    assert compare(tmp_path, *asked(tiny, "--seeds", "1", "2")) == 0  # more of it adds to it
    assert [title for title, _ in fake.started[2:]] == ["ranknet full seed 2", "ranknet memcom 2x seed 2"]


def test_a_failed_cell_is_said_at_the_end_and_tried_again(tiny, tmp_path, fake, capsys):
    fake.fates["ranknet full seed 1"] = "RuntimeError: it broke\n"
    assert compare(tmp_path, *asked(tiny)) == 1
    out = capsys.readouterr().out
    assert "failed: RuntimeError: it broke" in out
    assert "1 of 2 cells finished, 1 failed" in out
    assert f"{tmp_path}/out/cells/ranknet-full-seed-1.unfinished/log.txt" in out
    assert compare(tmp_path, *asked(tiny, "--report")) == 1
    assert compare(tmp_path, *asked(tiny)) == 0
    assert len(fake.started) == 3


def test_stopped_it_says_how_to_go_on(tiny, tmp_path, fake, capsys):
    fake.fates["ranknet memcom 2x seed 1"] = "kill"
    assert compare(tmp_path, *asked(tiny)) == 1
    assert "stopped; 1 of 2 cells finished, 1 not run. The same command goes on" in capsys.readouterr().out
    assert pq.read_table(tmp_path / "out/results.parquet")["status"].to_pylist() == ["finished", "not run"]
    fake.slots.clear()
    assert compare(tmp_path, *asked(tiny)) == 0
    assert fake.started[-1] == ("ranknet memcom 2x seed 1", True)


def test_a_report_runs_nothing_and_needs_no_dataset(tiny, tmp_path, fake, capsys):
    assert compare(tmp_path, *asked(tiny)) == 0
    for name in ("results.md", "results.parquet", "pareto.png", "pareto.svg"):
        (tmp_path / "out" / name).unlink()
    assert compare(tmp_path, *asked(tmp_path / "gone", "--report", "--ratios", "2", "4")) == 0
    assert "2 of 3 cells finished, 1 not run" in capsys.readouterr().out
    assert (tmp_path / "out/pareto.svg").exists()
    assert len(fake.started) == 2
    assert compare(tmp_path, *asked(tiny, "--report", "--output", "other")) == 1
    assert "no comparison in" in capsys.readouterr().err


def test_names_are_looked_up_before_anything_is_built(tmp_path, fake, capsys):
    assert compare(tmp_path, "--config", "compare_smoke.yaml", "--techniques", "memcon") == 1
    assert "unknown technique 'memcon'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_other_settings_are_refused(tiny, tmp_path, fake, capsys):
    assert compare(tmp_path, *asked(tiny)) == 0
    assert compare(tmp_path, *asked(tiny, "--", "--trainer.max_epochs", "2")) == 1
    err = capsys.readouterr().err
    assert "was made with other settings" in err
    assert '  flags: [] there, ["--trainer.max_epochs", "2"] now' in err
    assert len(fake.started) == 2


def test_without_matplotlib_nothing_begins(tiny, tmp_path, fake, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert compare(tmp_path, *asked(tiny)) == 1
    assert "pip install -e '.[plot]'" in capsys.readouterr().err
    assert not fake.started
    assert not (tmp_path / "out").exists()


def test_without_a_checkout_nothing_begins(tiny, tmp_path, fake, capsys, monkeypatch):
    monkeypatch.setattr(compare_command, "TRAIN", tmp_path / "train.py")
    assert compare(tmp_path, *asked(tiny)) == 1
    assert "no train.py in" in capsys.readouterr().err


@pytest.mark.slow
def test_a_missing_dataset_is_built_as_the_file_says(tmp_path, fake, capfd):
    text = (train.CONFIGS / "compare_smoke.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace('"800"', '"200"').replace('"300"', '"60"'))
    assert compare(tmp_path, "--config", "mine.yaml") == 0
    assert json.loads((tmp_path / "data/smoke/manifest.json").read_text())["options"]["users"] == 200
    assert "building the dataset: python -m data_prep build --source synthetic --users 200" in capfd.readouterr().out
    (tmp_path / "mine.yaml").write_text(text.replace("synthetic", "sinthetic").replace("data/smoke", "data/other"))
    assert compare(tmp_path, "--config", "mine.yaml") == 1
    assert "'data/other' was not built" in capfd.readouterr().err


def test_each_slot_has_a_gpu_or_its_share_of_the_cores(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(compare_command, "Program", lambda *arguments: seen.append(arguments))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for gpus, slots, slot in ((["3", "5"], 3, 2), ([], 3, 2), ([], 1, 0)):
        launcher("group", gpus, slots, (7,))(["fit"], tmp_path, "a title", slot)
    words, folder, environment, inherited = seen[0]
    assert words == [sys.executable, str(train.CONFIGS.parent / "train.py"), "fit"]
    assert (folder, inherited) == (tmp_path, (7,))
    assert (environment["WANDB_RUN_GROUP"], environment["WANDB_NAME"]) == ("group", "a title")
    assert environment["CUDA_VISIBLE_DEVICES"] == "3"
    assert [one[2].get("OMP_NUM_THREADS") for one in seen] == [None, "2", None]


def test_gpus_are_those_that_one_may_use(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-8f")
    assert visible_gpus() == ["4", "GPU-8f"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus() == ["0", "1"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert visible_gpus() == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP there")
def test_nohup_is_heeded():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with compare_command._stoppable():
            signal.raise_signal(signal.SIGHUP)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.slow
def test_two_cells_through_train_py(tiny, tmp_path, capfd, monkeypatch):
    """And one that is infeasible; to W&B, offline."""
    wandb.teardown()  # it remembers the mode of an earlier test's run
    monkeypatch.setenv("WANDB_MODE", "offline")
    flags = ("--", "--trainer.max_epochs", "2", *SMALL)
    words = asked(tiny, "--techniques", "naive_hash", "memcom", "--ratios", "8", "--processes", "2", *flags)
    assert compare(tmp_path, *words) == 0
    out, _ = capfd.readouterr()
    assert "2 of 3 cells finished, 1 infeasible" in out
    assert f"W&B         offline; to upload: wandb sync {tmp_path}/out/wandb/offline-run-" in out
    rows = {row["technique"]: row for row in pq.read_table(tmp_path / "out/results.parquet").to_pylist()}
    assert [rows[name]["status"] for name in ("full", "naive_hash", "memcom")] == ["finished", "finished", "infeasible"]
    assert "largest ratio" in rows["memcom"]["reason"]
    assert 8 <= rows["naive_hash"]["embedding.ratio"] < 10
    summary = json.loads((tmp_path / "out" / rows["full"]["run"] / "summary.json").read_text())
    assert rows["full"]["test.ndcg@10"] == summary["test.ndcg@10"] > 0
    assert (summary["seed"], summary["epochs"]) == (1, 2)
    page = (tmp_path / "out/results.md").read_text()
    assert f"| ease | {summary['baselines.ease.ndcg@10']:.4f} |" in page


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes are stopped otherwise there")
def test_asked_to_end_it_stops_its_runs_and_goes_on_later(tiny, tmp_path):
    words = [*asked(tiny), "--", "--trainer.max_epochs", "400", *SMALL, "--trainer.callbacks.patience", "400"]
    command = [sys.executable, "-m", "memcom_rank", "compare", *map(str, words)]
    log, root = tmp_path / "out/cells/ranknet-full-seed-1.unfinished/log.txt", train.CONFIGS.parent
    environment = {**os.environ, "WANDB_MODE": "disabled", "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    for _ in range(600):
        if process.poll() is not None or (log.exists() and "epoch   3/400" in log.read_text()):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped; 0 of 2 cells finished, 2 not run" in out
    cell = json.loads((log.parent / "cell.json").read_text())
    assert cell["seconds"] > 0
    assert list(log.parent.glob("runs/*-fit/checkpoints/last.ckpt"))
