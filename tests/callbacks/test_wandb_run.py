"""W&B runs, offline, read back with W&B's own reader; nothing here reaches the network."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import wandb
import yaml

from memcom_rank.callbacks import wandb_run
from memcom_rank.contract.errors import ConfigError
from tests.command import fit, run
from tests.test_cli import columns, summary


def inspect(ran, *options):
    (file,) = (ran.folder / "wandb").glob("offline-run-*/run-*.wandb")
    program = shutil.which("wandb", path=Path(sys.executable).parent)
    made = subprocess.run(
        [program, "leet", "inspect", "--json", *options, file], capture_output=True, text=True, timeout=60, check=True
    )
    return made.stdout


@pytest.fixture(scope="module")
def records(fitted):
    return [json.loads(line) for line in inspect(fitted).splitlines()]


def history(records):
    return [record["history"]["item"] for record in records if record["type"] == "history"]


def test_the_run_says_what_the_local_files_say(fitted, records):
    logged = history(records)
    for key, values in columns(fitted).items():
        if "/" in key:
            assert [item[key] for item in logged if key in item] == pytest.approx(values)
    found = json.loads(inspect(fitted, "--summary"))["summary"]
    for key in ("test.ndcg@10", "baselines.ease.ndcg@10", "embedding.bytes", "embedding.ratio", "dataset.digest"):
        assert found[key] == summary(fitted)[key]


def test_the_run_holds_the_resolved_config(fitted):
    config = json.loads(inspect(fitted, "--summary"))["config"]
    resolved = yaml.safe_load((fitted.folder / "config.yaml").read_text())
    assert {key: value for key, value in config.items() if key != "_wandb"} == resolved
    assert config["model"]["init_args"]["embedding"]["init_args"]["target_ratio"] == 4


def test_validation_is_drawn_over_epochs(records):
    axes = {record["metric"].get("glob_name"): record["metric"] for record in records if record["type"] == "metric"}
    assert axes["val/*"]["step_metric"] == "epoch"
    drawn = [item for item in history(records) if "val/ndcg@10" in item]
    assert [item["epoch"] for item in drawn] == [0, 1]


def test_the_table_says_how_to_upload_and_wandb_itself_is_silent(fitted):
    place = summary(fitted)["wandb.run"]
    assert summary(fitted)["wandb.offline"] is True
    assert f"wandb sync {place}" in fitted.out
    assert "wandb: " not in fitted.err + fitted.out
    assert "Run history" not in fitted.err + fitted.out


def test_disabled_leaves_nothing(tiny, tmp_path):
    ran = fit(tmp_path, tiny, epochs=1, WANDB_MODE="disabled")
    assert not [path for path in ran.folder.rglob("*") if "wandb" in str(path) and path.is_file()]
    assert "W&B" not in ran.out
    assert not [key for key in summary(ran) if key.startswith("wandb")]


def test_no_logger_at_all(tiny, tmp_path):
    ran = fit(tmp_path, tiny, "--trainer.logger", "false", epochs=1)
    assert "W&B" not in ran.out
    assert columns(ran)["test/ndcg@10"]


def test_predict_opens_no_run(fitted, tmp_path):
    ran = run(tmp_path, "predict", "--config", "ranknet.yaml", "--ckpt_path", fitted.folder, WANDB_MODE="offline")
    assert ran.status == 0, ran.err
    assert not list(tmp_path.rglob("*wandb*"))


def test_a_failed_run_is_marked_as_failed(tiny, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug")

    codes = []
    finish = wandb.sdk.wandb_run.Run.finish
    monkeypatch.setattr(wandb.sdk.wandb_run.Run, "finish", lambda run, code=0: (codes.append(code), finish(run, code)))
    monkeypatch.setattr("memcom_rank.tasks.RankNet.test_step", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        fit(tmp_path, tiny, epochs=1, WANDB_MODE="offline")
    assert codes == [1]
    assert wandb.run is None


# ---- which mode ----


class Logger:
    """Stands for WandbLogger: `experiment` calls what wandb.init would be, with what open_wandb_run has settled."""

    def __init__(self, errors=()):
        self._wandb_init = {"project": "p", "anonymous": None, "mode": None}
        self.errors, self.axes, self.modes = list(errors), [], []

    @property
    def experiment(self):
        self.modes.append(self._wandb_init["mode"])
        assert "anonymous" not in self._wandb_init
        if self.errors:
            raise self.errors.pop()
        return self

    def define_metric(self, name, *, step_metric):
        self.axes.append((name, step_metric))


@pytest.fixture
def unset(monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return monkeypatch


def login(answer):
    def ask(*, prompt):
        assert prompt is False  # never waits for somebody to type
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


@pytest.mark.parametrize(("logged_in", "modes"), [(True, [None]), (False, ["offline"])])
def test_online_when_logged_in_else_offline(unset, logged_in, modes):
    unset.setattr(wandb, "login", login(logged_in))
    logger = Logger()
    wandb_run.open_wandb_run(logger)
    assert logger.modes == modes
    assert logger.axes == [("val/*", "epoch")]


@pytest.mark.parametrize("error", [wandb.errors.CommError("no route"), wandb.errors.AuthenticationError("bad key")])
@pytest.mark.parametrize("where", ["login", "init"])
def test_a_server_that_is_away_or_refuses_stops_nothing(unset, capsys, error, where):
    unset.setattr(wandb, "login", login(error if where == "login" else True))
    logger = Logger([error] if where == "init" else [])
    wandb_run.open_wandb_run(logger)
    assert logger.modes[-1] == "offline"
    assert logger.axes == [("val/*", "epoch")]
    assert str(error) in capsys.readouterr().out


def test_the_environment_decides_where_it_speaks(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(wandb, "login", login(RuntimeError("nobody asks")))
    logger = Logger()
    wandb_run.open_wandb_run(logger)
    assert logger.modes == [None]


@pytest.mark.slow
def test_nobody_logged_in_and_nobody_there_to_ask(tiny, tmp_path):
    """A process of its own, without a home, a key or a standard input."""
    words = ["--config", "ranknet.yaml", "--data.path", tiny, "--trainer.max_epochs", "1"]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    made = subprocess.run(
        [sys.executable, root / "train.py", "fit", *words],
        cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "offline; to upload: wandb sync runs/" in made.stdout
    assert "API key" not in made.stdout + made.stderr


@pytest.mark.parametrize("mode", ["", "ofline"])
def test_an_unknown_mode_is_a_named_error(unset, mode):
    unset.setenv("WANDB_MODE", mode)
    with pytest.raises(ConfigError, match=r"(?s)WANDB_MODE is '.*unset WANDB_MODE"):
        wandb_run.open_wandb_run(Logger())
