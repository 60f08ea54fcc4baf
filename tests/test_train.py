import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pytorch_lightning.utilities import rank_zero_only

import data_prep
import train
from memcom_rank.contract.errors import DatasetError
from tests.command import SMALL, run
from tests.test_cli import summary


@pytest.fixture
def builds(tmp_path, monkeypatch):
    """Calls of data_prep.build, which makes a tiny world instead of the default one."""
    calls, build = [], data_prep.build

    def small(**options):
        calls.append(options)
        return build(**options, users=300, games=80)

    monkeypatch.setattr(data_prep, "build", small)
    monkeypatch.chdir(tmp_path)
    return calls


def test_the_default_dataset_is_built_when_it_is_missing_and_only_then(builds, tmp_path, capfd):
    train.build_default(train.DEFAULT_DATASET)
    assert builds == [{"source": "synthetic", "output": train.DEFAULT_DATASET, "seed": 1}]
    assert (tmp_path / "data/synthetic/manifest.json").is_file()
    assert "building the default dataset" in capfd.readouterr().out
    train.build_default(train.DEFAULT_DATASET)
    assert len(builds) == 1
    assert capfd.readouterr().out == ""


def test_no_other_dataset_is_built(builds):
    train.build_default(Path("data/steam"))
    assert not builds
    assert not Path("data").exists()


def test_one_command_from_nothing(builds, tmp_path):
    small = ("--model.init_args.dim", 16, "--model.init_args.match.init_args.match_dim", 8, "--trainer.max_epochs", 1)
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", *small)
    assert ran.status == 0, ran.err
    assert len(builds) == 1
    assert summary(ran)["dataset.path"] == "data/synthetic"


def test_the_other_ranks_wait_for_rank_0(builds, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    manifest = train.DEFAULT_DATASET / "manifest.json"

    def build():
        manifest.parent.mkdir(parents=True)
        manifest.touch()

    monkeypatch.setattr(train.time, "sleep", lambda seconds: threading.Thread(target=build).run())
    train.build_default(train.DEFAULT_DATASET)
    assert manifest.exists()
    assert not builds


def test_the_other_ranks_do_not_wait_for_ever(builds, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    monkeypatch.setattr(train.time, "sleep", lambda seconds: None)
    with pytest.raises(DatasetError, match="no dataset appeared at 'data/synthetic'"):
        train.build_default(train.DEFAULT_DATASET)


def test_where_data_prep_cannot_write(tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml")
    assert ran.status == 1
    assert "WriteError: " in ran.err
    assert ran.folder is None


@pytest.mark.slow
def test_as_a_program_from_another_folder(tmp_path):
    program = Path(train.__file__)
    options = {"capture_output": True, "text": True, "timeout": 120, "cwd": tmp_path, "env": {**os.environ}}
    shown = subprocess.run([sys.executable, program, "--help"], **options)
    assert (shown.returncode, shown.stderr) == (0, "")
    refused = subprocess.run([sys.executable, program, "fit", "--config", "ranknet.yml"], **options)
    assert refused.returncode == 1
    assert "did you mean --config ranknet.yaml ?" in refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_reader_of_the_output_who_goes_away(tiny, tmp_path):
    """As `| head` does: no pages of a traceback."""
    words = [sys.executable, train.__file__, "fit", "--config", "ranknet.yaml", *SMALL, "--data.path", tiny]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path}
    environment = {**os.environ, "WANDB_MODE": "disabled"}
    with subprocess.Popen([*map(str, words), "--trainer.max_epochs", "30"], env=environment, **options) as process:
        assert process.stdout.readline().startswith("dataset")
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(120) == 1
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
