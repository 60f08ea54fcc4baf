"""Several processes on this machine, over gloo: Lightning's own launcher, torchrun with two nodes, and SLURM's tasks.

Every process has its own time limit and is ended by its id.
"""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

import train
from tests.command import DIM, SMALL, Ran, run
from tests.test_cli import columns, summary

pytestmark = pytest.mark.slow
PROGRAM = str(Path(train.__file__))
SECONDS = 150
DDP = ("--config", "ranknet.yaml", "--config", "trainer/ddp.yaml", "--trainer.accelerator", "cpu")
TWO = (*DDP, "--trainer.devices", "2")
NODES = (*DDP, "--trainer.devices", "1", "--trainer.num_nodes", "2")


def fits(tiny):
    return ("--data.path", str(tiny), "--trainer.max_epochs", "2", "--data.batch_size", "100", *SMALL)


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return str(server.getsockname()[1])


def together(cwd, *commands):
    """Run commands side by side, each an (arguments, environment); return the (status, out, err) of each."""
    processes = []
    for number, (arguments, environment) in enumerate(commands):
        out, err = (open(cwd / f"{number}.{name}", "w+") for name in ("out", "err"))  # noqa: SIM115
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PL_", "SLURM_"))}
        env = {**clean, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1", **environment}
        command = [sys.executable, *arguments]
        processes.append(
            (subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err), out, err)
        )
    found = []
    try:
        for process, out, err in processes:
            status = process.wait(timeout=SECONDS)
            found.append((status, *(Path(file.name).read_text() for file in (out, err))))
    finally:
        for process, out, err in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
            out.close(), err.close()
    return found


def whole(cwd, found):
    """Check that all processes ended well and made one run; return it."""
    assert [status for status, _, _ in found] == [0] * len(found), "\n".join(err for _, _, err in found)
    (folder,) = (cwd / "runs").glob("2*")
    return Ran(0, found[0][1], "".join(err for _, _, err in found), folder)


def assert_one_run(ran):
    assert len(list(ran.folder.glob("wandb/offline-run-*"))) == 1
    assert len(list(ran.folder.parent.rglob("summary.json"))) == 1
    assert len(list(ran.folder.parent.rglob("metrics.csv"))) == 1
    assert sorted(path.name for path in (ran.folder / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert ran.out.count("epoch   1/2") == ran.out.count("ranker, MEmCom") == 1
    assert "Warning" not in ran.err
    assert "sync_dist" not in ran.err
    assert len(columns(ran)["val/ndcg@10"]) == 2


@pytest.fixture(scope="module")
def pair(tiny, tmp_path_factory):
    """A fit by two processes that Lightning starts."""
    cwd = tmp_path_factory.mktemp("pair")
    return whole(cwd, together(cwd, ([PROGRAM, "fit", *TWO, *fits(tiny)], {})))


def test_two_processes_make_one_run(pair):
    assert_one_run(pair)


def test_one_process_measures_what_two_measure(pair, tmp_path):
    """Sums are in float64, so only the order of addition differs; 331 users are dealt to two processes unevenly."""
    ran = run(tmp_path, "test", "--config", "ranknet.yaml", "--ckpt_path", pair.folder)
    assert ran.status == 0, ran.err
    one, two = summary(ran), summary(pair)
    for key in [key for key in two if key.startswith("test.")]:
        nothing = two[key] is None  # the mean of a slice without users
        assert one[key] is None if nothing else one[key] == pytest.approx(two[key], abs=1e-9, rel=0), key
    assert one["test.users"] == 331
    users = [pq.read_table(made.folder / "users_test.parquet") for made in (ran, pair)]
    slices = ["user", "history_length", "popularity"]
    assert users[0].select(slices) == users[1].select(slices)


def test_two_processes_predict_what_one_predicts(pair, tmp_path):
    (tmp_path / "two").mkdir()
    words = ("predict", *TWO, "--ckpt_path", str(pair.folder))
    two = whole(tmp_path / "two", together(tmp_path / "two", ([PROGRAM, *words], {})))
    one = run(tmp_path, "predict", "--config", "ranknet.yaml", "--ckpt_path", pair.folder)
    files = [pq.read_table(ran.folder / "predictions.parquet") for ran in (one, two)]
    assert files[0].drop_columns("score") == files[1].drop_columns("score")
    assert files[0]["score"].to_pylist() == pytest.approx(files[1]["score"].to_pylist(), abs=1e-5)
    assert sorted(path.name for path in two.folder.iterdir()) == ["config.yaml", "predictions.parquet"]


def test_batch_statistics_of_two_processes_are_those_of_the_checkpoint(tiny, tmp_path):
    """Each process sees its own users in training; in validation both must normalise alike."""
    words = [word.replace("ranknet.yaml", "classifier_paper.yaml") for word in TWO]
    sizes = ("--data.path", str(tiny), "--trainer.max_epochs", "2", "--data.batch_size", "100", *DIM)
    sizes += ("--model.init_args.learning_rate", "0.05")  # so that scores are more than the games' own
    two = whole(tmp_path, together(tmp_path, ([PROGRAM, "fit", *words, *sizes], {})))
    assert_one_run(two)
    (tmp_path / "one").mkdir()
    one = run(tmp_path / "one", "validate", "--config", "classifier_paper.yaml", "--ckpt_path", two.folder)
    assert one.status == 0, one.err
    assert summary(one)["val.ndcg@10"] == pytest.approx(max(columns(two)["val/ndcg@10"]), abs=1e-9)


def test_two_processes_merge_the_same_rows(tiny, tmp_path):
    """After the first of two epochs; the run's own test, by both processes, is that of its checkpoint."""
    merging = ("--config", "embedding/merge_rare.yaml", "--model.init_args.embedding.init_args.target_ratio", "24")
    two = whole(tmp_path, together(tmp_path, ([PROGRAM, "fit", *TWO, *merging, *fits(tiny)], {})))
    assert two.out.count("ranker, MergeRare") == 1
    (tmp_path / "one").mkdir()
    one = run(tmp_path / "one", "test", "--config", "ranknet.yaml", "--ckpt_path", two.folder)
    assert one.status == 0, one.err
    assert summary(one)["test.ndcg@10"] == pytest.approx(summary(two)["test.ndcg@10"], abs=1e-9)
    checkpoint = torch.load(two.folder / "checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["state_dict"]["ranker.embedding.table.tables.1._extra_state"]


def test_labels_of_two_processes(labelled, tmp_path):
    """60 test users are dealt to two processes; accuracies are sums of 0 and 1."""
    words = [word.replace("ranknet.yaml", "classifier_label.yaml") for word in TWO]
    sizes = ("--data.path", str(labelled), "--trainer.max_epochs", "2", "--data.batch_size", "50", *DIM)
    two = whole(tmp_path, together(tmp_path, ([PROGRAM, "fit", *words, *sizes], {})))
    (tmp_path / "one").mkdir()
    one = run(tmp_path / "one", "test", "--config", "classifier_label.yaml", "--ckpt_path", two.folder)
    assert one.status == 0, one.err
    for key in [key for key in summary(two) if key.startswith(("test.", "baselines."))]:
        assert summary(one)[key] == summary(two)[key], key
    users = [pq.read_table(ran.folder / "users_test.parquet") for ran in (one, two)]
    assert users[0] == users[1]
    assert users[0].num_rows == summary(two)["test.users"] == 60


def test_torchrun_on_two_nodes_trains_the_same(pair, tiny, tmp_path):
    port = free_port()
    node = ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1"]
    commands = [
        ([*node, "--master-port", port, "--node-rank", str(n), PROGRAM, "fit", *NODES, *fits(tiny)], {}) for n in (0, 1)
    ]
    ran = whole(tmp_path, together(tmp_path, *commands))
    assert_one_run(ran)
    assert columns(ran)["val/ndcg@10"] == columns(pair)["val/ndcg@10"]
    assert summary(ran)["test.ndcg@10"] == summary(pair)["test.ndcg@10"]


def test_srun_on_two_nodes_trains_the_same(pair, tiny, tmp_path):
    """srun starts a task per device and node, `srun --ntasks-per-node 1` here, and says so in the environment."""
    shared = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1"}
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "SLURM_LOCALID": "0"}
    commands = [
        ([PROGRAM, "fit", *NODES, *fits(tiny)], {**shared, **place, "SLURM_PROCID": str(n), "SLURM_NODEID": str(n)})
        for n in (0, 1)
    ]
    ran = whole(tmp_path, together(tmp_path, *commands))
    assert_one_run(ran)
    assert columns(ran)["val/ndcg@10"] == columns(pair)["val/ndcg@10"]


def test_two_processes_go_on_with_a_run(pair, tmp_path):
    # W&B may still tidy up behind itself
    shutil.copytree(pair.folder, tmp_path / "runs/0-fit", ignore=shutil.ignore_patterns("wandb"))
    words = ("fit", *TWO, "--ckpt_path", "last", "--trainer.max_epochs", "3")
    ran = whole(tmp_path, together(tmp_path, ([PROGRAM, *words], {})))
    assert len(columns(ran)["val/ndcg@10"]) == 1
    assert summary(ran)["best.val.ndcg@10"] == max(columns(pair)["val/ndcg@10"] + columns(ran)["val/ndcg@10"])


def test_a_mistake_ends_all_processes(tiny, tmp_path):
    ((status, _, err),) = together(
        tmp_path, ([PROGRAM, "fit", *TWO, *fits(tiny), "--model.init_args.match.init_args.match_dim", "17"], {})
    )
    assert status == 1
    assert "ConfigError: match_dim is 17" in err
    assert "Traceback" not in err
    assert not list((tmp_path / "runs").glob("2*"))
