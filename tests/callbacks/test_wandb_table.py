"""W&B's table of a comparison, offline, read back with W&B's own reader."""

import json
import shutil
import subprocess
import sys
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import wandb
import yaml

from memcom_rank.callbacks.wandb_table import log_comparison

LOGGER = {"class_path": "pytorch_lightning.loggers.WandbLogger", "init_args": {"project": "mine", "entity": None}}


@pytest.fixture
def output(tmp_path):
    output = tmp_path / "compare-steam"
    output.mkdir()
    pq.write_table(pa.table({"technique": ["full", "memcom"], "test.ndcg@10": [0.5, None]}), output / "results.parquet")
    return output


@pytest.mark.slow
@pytest.mark.parametrize("loggers", [LOGGER, [{"class_path": "a.CSVLogger", "init_args": {}}, LOGGER]])
def test_one_table_in_the_group_and_the_project_of_the_runs(output, tmp_path, loggers):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"trainer": {"logger": loggers}}))
    with mock.patch.dict("os.environ", {"WANDB_MODE": "offline"}):
        wandb.teardown()  # W&B reads its mode once a process
        where = log_comparison(output, tmp_path)
        wandb.teardown()
    (folder,) = output.glob("wandb/offline-run-*")
    assert where == f"offline; to upload: wandb sync {folder}"
    (table,) = folder.glob("files/media/table/*.json")
    assert json.loads(table.read_text()) == {
        "columns": ["technique", "test.ndcg@10"],
        "data": [["full", 0.5], ["memcom", None]],
    }
    (file,) = folder.glob("run-*.wandb")
    program = shutil.which("wandb", path=str(sys.executable).rpartition("/")[0])
    read = subprocess.run(
        [program, "leet", "inspect", "--json", file], capture_output=True, text=True, timeout=60, check=True
    )
    (run,) = [record["run"] for record in map(json.loads, read.stdout.splitlines()) if record["type"] == "run"]
    assert [run[key] for key in ("project", "run_group", "display_name", "job_type")] == [
        "mine",
        "compare-steam",
        "compare-steam",
        "compare",
    ]


def test_where_wandb_is_switched_off(output, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"trainer": {"logger": LOGGER}}))
    with mock.patch.dict("os.environ", {"WANDB_MODE": "disabled"}):
        wandb.teardown()
        assert log_comparison(output, tmp_path) is None
        wandb.teardown()
    assert not list(output.glob("wandb/offline-run-*"))
