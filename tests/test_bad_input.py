"""What a user gets wrong is named with what was seen, wanted and to do; no traceback, and no run folder is left."""

import pytest
import torch

from tests.command import SMALL, fit, run
from tests.test_cli import summary

MODEL = "--model.init_args"
ALWAYS = ("--config", "ranknet.yaml", *SMALL)
CASES = {
    "option": (["--data.batch_sise", 8], "ConfigError: unknown option 'data.batch_sise'", "'data.batch_size'"),
    "short option": (["--batch_size", 8], "ConfigError: unknown option 'batch_size'", "'data.batch_size'"),
    "model option": ([f"{MODEL}.dimm", 8], "unknown option 'dimm'", "'dim'"),
    "technique's option": ([f"{MODEL}.embedding.init_args.ratio", 8], "unknown option 'ratio'", "'target_ratio'"),
    "no such option": (["--xyzzy", 8], "unknown option 'xyzzy'", "a name that exists"),
    "class": ([f"{MODEL}.embedding.class_path", "memcom_rank.embeddings.MemCom"], "unknown class 'MemCom'", "'MEmCom'"),
    "loss": ([f"{MODEL}.loss", "memcom_rank.losses.bprloss"], "unknown function 'bprloss'", "'bpr_loss'"),
    "loss without its room": (
        [f"{MODEL}.loss", "bpr"],
        "ConfigError: 'bpr' is no import path",
        "memcom_rank.losses.bpr_loss",
    ),
    "loss of other arguments": ([f"{MODEL}.loss", "memcom_rank.losses.softmax_loss"], "'softmax_loss'", "log_q_BK"),
    "nothing to compare with": (["--data.num_negatives", 0], "ConfigError: data.num_negatives is 0", "1024"),
    "config": (["--config", "embeding/full.yaml"], "no config 'embeding/full.yaml'", "--config embedding/full.yaml"),
    "value": (["--data.batch_size", "many"], 'ConfigError: Parser key "data.batch_size"', "see: python train.py fit"),
    "overfit": (["--trainer.overfit_batches", 1], "ConfigError: overfit_batches is 1", "--trainer.limit_train_batches"),
    "learning rate": ([f"{MODEL}.learning_rate", -1], "ConfigError: learning_rate is -1", "at least 0"),
    "top_k": ([f"{MODEL}.top_k", 0], "ConfigError: top_k is 0", "at least 1"),
    "seed": (["--seed_everything", -1], "ConfigError: seed_everything is -1", "0 <= seed < 4294967296"),
    "never validated": (["--trainer.check_val_every_n_epoch", 0], "check_val_every_n_epoch is 0", "at least 1"),
    "no training": (["--trainer.max_epochs", 0], "ConfigError: no epoch was validated", "or train longer\n"),
    "copies of a process": (["--trainer.strategy", "ddp_spawn"], "ConfigError: strategy ddp_spawn", "strategy ddp\n"),
    "range": (["--data.batch_size", 0], "ConfigError: data.batch_size is 0", "at least 1"),
    "dataset": (["--data.path", "nowhere"], "DatasetError: no dataset at 'nowhere'", "python -m data_prep build"),
    "budget": ([f"{MODEL}.embedding.init_args.target_ratio", 5000], "BudgetError: MEmCom", "largest ratio"),
    "width": ([f"{MODEL}.match.init_args.match_dim", 17], "ConfigError: match_dim is 17", "at most"),
    "device": (["--trainer.accelerator", "gpu"], "ConfigError: ", "trainer settings"),
    "abbreviation": (["--trainer.max_epoch", 3], "unknown option 'trainer.max_epoch'", "'trainer.max_epochs'"),
    "short for a checkpoint": (["--ckpt", "last"], "unknown option 'ckpt'", "'ckpt_path'"),
    "nothing to train on": (["--trainer.limit_train_batches", 0], "limit_train_batches is 0", "limit_train_batches 1"),
    "nothing to validate": (["--trainer.limit_val_batches", 0], "limit_val_batches is 0", "limit_val_batches 1"),
    "checkpoint": (["--ckpt_path", "nowhere"], "CheckpointError: no checkpoint 'nowhere'", "train first"),
}


def assert_refused(ran, *parts):
    assert ran.status == 1
    for part in (*parts, "\n  wanted: ", "\n  to do:  "):
        assert part in ran.err
    assert "Traceback" not in ran.err
    assert ran.folder is None


@pytest.mark.parametrize("case", CASES)
def test_a_bad_word_on_the_command_line(tiny, tmp_path, case):
    words, *parts = CASES[case]
    if case == "device" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert_refused(run(tmp_path, "fit", *ALWAYS, "--data.path", tiny, *words), *parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("data:\n  batch_sise: 3\n", ("unknown option 'data.batch_sise'", "'data.batch_size'")),
        ("model:\n  init_args:\n    match:\n      init_args:\n        powr: 3\n", ("unknown option 'powr'", "'power'")),
        ("trainer: [\n", ("ConfigError: ",)),
    ],
)
def test_a_bad_yaml(tiny, tmp_path, text, parts):
    (tmp_path / "mine.yaml").write_text(text)
    assert_refused(run(tmp_path, "fit", *ALWAYS, "--data.path", tiny, "--config", "mine.yaml"), *parts)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ((), ("ConfigError: ", "fit,validate,test,predict")),
        (("fitt",), ("ConfigError: ", "'fitt'")),
        (("fit",), ("ConfigError: ", "fit.model", "add --config ranknet.yaml")),
        (("--config", "ranknet.yaml", "fit"), ("--config stands before the command", "the command first")),
        (("fit", "--config"), ("ConfigError: ",)),
        (("test", *ALWAYS), ("CheckpointError: test without --ckpt_path", "--ckpt_path best")),
        (("predict", *ALWAYS, "--ckpt_path", "last"), ("no checkpoint 'last'", "train first")),
    ],
)
def test_bad_commands(tmp_path, words, parts):
    assert_refused(run(tmp_path, *words), *parts)


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_a_checkpoint_of_another_dataset(fitted, tmp_path, command):
    checkpoint = torch.load(fitted.folder / "checkpoints/best.ckpt", weights_only=True)
    torch.save({**checkpoint, "dataset_digest": "sha256:other"}, tmp_path / "other.ckpt")
    ran = run(tmp_path, command, "--config", "ranknet.yaml", "--ckpt_path", "other.ckpt", WANDB_MODE="offline")
    assert_refused(ran, "CheckpointError: ", "sha256:other", "--data.path")


@pytest.mark.parametrize(("command", "split"), [("validate", "val"), ("test", "test"), ("predict", "predict")])
def test_nobody_to_look_at(fitted, tmp_path, command, split):
    limit = f"limit_{split}_batches"
    words = ("--config", "ranknet.yaml", "--ckpt_path", fitted.folder, f"--trainer.{limit}", "0")
    assert_refused(run(tmp_path, command, *words), f"ConfigError: trainer.{limit} is 0", f"users for {command}")


def test_no_step_at_all(tiny, tmp_path):
    ran = run(tmp_path, "fit", *ALWAYS, "--data.path", tiny, "--trainer.max_steps", 0, WANDB_MODE="offline")
    assert (ran.status, "Traceback" in ran.err) == (1, False)
    assert "ConfigError: no epoch was validated" in ran.err


def test_a_checkpoint_of_other_settings(fitted, tmp_path):
    """The same shapes: nothing else would tell."""
    power = ("--model.init_args.match.init_args.power", "0.2")
    best = str(fitted.folder / "checkpoints/best.ckpt")
    ran = run(tmp_path, "test", "--config", "ranknet.yaml", "--ckpt_path", best, *power, WANDB_MODE="offline")
    assert_refused(ran, "CheckpointError: ", "power: 0.5, and this one has 0.2", "leave out flags")


@pytest.mark.parametrize("size", [0, 100, 3000])
def test_a_truncated_checkpoint(fitted, tmp_path, size):
    (tmp_path / "short.ckpt").write_bytes((fitted.folder / "checkpoints/best.ckpt").read_bytes()[:size])
    ran = run(tmp_path, "test", "--config", "ranknet.yaml", "--ckpt_path", "short.ckpt")
    assert_refused(ran, "CheckpointError: 'short.ckpt' is not a checkpoint", "a .ckpt file written by fit")


def test_what_is_no_users_fault_keeps_its_traceback(tiny, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("memcom_rank.tasks.RankNet.training_step", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        fit(tmp_path, tiny)
    assert not list((tmp_path / "runs").glob("2*"))


def test_a_run_that_fails_later_keeps_its_folder(tiny, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("memcom_rank.tasks.RankNet.test_step", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        fit(tmp_path, tiny, epochs=1)
    (folder,) = (tmp_path / "runs").glob("2*")
    assert (folder / "checkpoints/best.ckpt").is_file()


def test_a_checkpoint_that_a_config_names_and_that_is_not_there(tiny, tmp_path):
    (tmp_path / "mine.yaml").write_text("ckpt_path: runs/gone/checkpoints/last.ckpt\n")
    ran = run(tmp_path, "fit", *ALWAYS, "--data.path", tiny, "--config", "mine.yaml")
    assert_refused(ran, "CheckpointError: no checkpoint file 'runs/gone/checkpoints/last.ckpt'", "as a flag")


def test_a_run_that_trained_more_than_is_asked_for(fitted, tmp_path):
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", fitted.folder, "--trainer.max_epochs", 1)
    assert_refused(
        ran, "CheckpointError: ", "2 epochs, and 1 are asked for", "raise the number: --trainer.max_epochs 4"
    )
    words = ("--ckpt_path", fitted.folder, "--trainer.max_epochs", 5, "--trainer.max_steps", 1)
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", *words)
    assert_refused(ran, "CheckpointError: ", "2 steps, and 1 are asked for", "--trainer.max_steps 4")


def test_a_checkpoint_of_weights_alone(fitted, tmp_path):
    checkpoint = torch.load(fitted.folder / "checkpoints" / "last.ckpt", weights_only=True)
    torch.save({key: value for key, value in checkpoint.items() if key != "loops"}, tmp_path / "weights.ckpt")
    ran = run(tmp_path, "fit", "--config", "ranknet.yaml", "--ckpt_path", tmp_path / "weights.ckpt")
    assert_refused(ran, "CheckpointError: ", "weights alone", "go on from")


@pytest.mark.filterwarnings("ignore:.*could not find the monitored key:UserWarning")  # Lightning's, and true
@pytest.mark.parametrize(
    "words",
    [["--trainer.check_val_every_n_epoch", 5], ["--trainer.max_steps", 2, "--data.batch_size", 64]],
    ids=["rarely", "inside the first epoch"],
)
def test_a_run_that_ends_before_its_first_validation_keeps_what_it_trained(words, tiny, tmp_path):
    ran = run(tmp_path, "fit", *ALWAYS, "--data.path", tiny, "--trainer.max_epochs", 2, *words)
    assert ran.status == 1
    assert "ConfigError: no epoch was validated" in ran.err
    assert f"--ckpt_path {ran.folder.relative_to(tmp_path)}/checkpoints/last.ckpt" in ran.err
    assert "Traceback" not in ran.err
    tested = run(tmp_path, "test", "--config", "ranknet.yaml", "--ckpt_path", "last")
    assert tested.status == 0, tested.err
    assert "test.ndcg@10" in summary(tested)


def test_no_place_for_runs(tiny, tmp_path):
    (tmp_path / "runs").touch()
    ran = run(tmp_path, "fit", *ALWAYS, "--data.path", tiny)
    assert_refused(ran, "WriteError: cannot make the run's folder")
