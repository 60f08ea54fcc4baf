import contextlib
import json
import os

import pytest
import torch
from pytorch_lightning.utilities import rank_zero_only

from memcom_rank.arguments import checkpoint_settings, expand, find_checkpoint
from memcom_rank.contract.errors import CheckpointError, ConfigError

HYPER_PARAMETERS = {"num_ids": 99, "dim": 8, "ks": (10, None), "_class_path": "a.B", "_instantiator": "x"}
DATA = {"path": "data/x", "batch_size": 3, "keep_share": (0.5, 1.0), "seed": 4}


@pytest.fixture
def configs(tmp_path):
    (tmp_path / "configs/embedding").mkdir(parents=True)
    for name in ("ranknet.yaml", "embedding/full.yaml"):
        (tmp_path / "configs" / name).touch()
    return tmp_path / "configs"


@pytest.fixture
def runs(tmp_path):
    """Two runs; the folder of the later name is the newer run, whatever was done to its files since."""
    for name, age in (("20260101-fit", 5), ("20260102-fit", 50)):
        folder = tmp_path / "runs" / name / "checkpoints"
        folder.mkdir(parents=True)
        for file in ("best.ckpt", "last.ckpt"):
            torch.save({"hyper_parameters": HYPER_PARAMETERS, "datamodule_hyper_parameters": DATA}, folder / file)
            os.utime(folder / file, (1_000_000 - age,) * 2)
    return tmp_path / "runs"


@pytest.mark.parametrize(
    ("name", "command", "wanted"),
    [
        ("last", "fit", "20260102-fit/checkpoints/last.ckpt"),
        ("last", "test", "20260102-fit/checkpoints/last.ckpt"),
        ("best", "test", "20260102-fit/checkpoints/best.ckpt"),
        ("best", "fit", "20260102-fit/checkpoints/best.ckpt"),
        ("{runs}/20260102-fit", "fit", "20260102-fit/checkpoints/last.ckpt"),
        ("{runs}/20260102-fit", "predict", "20260102-fit/checkpoints/best.ckpt"),
        ("{runs}/20260102-fit/checkpoints", "validate", "20260102-fit/checkpoints/best.ckpt"),
        ("{runs}/20260102-fit/checkpoints/last.ckpt", "test", "20260102-fit/checkpoints/last.ckpt"),
    ],
)
def test_what_a_checkpoints_name_means(runs, name, command, wanted):
    assert find_checkpoint(name.format(runs=runs), command=command, runs=runs) == runs / wanted


def test_an_older_run_is_never_taken_for_the_newest(runs):
    (runs / "20260103-fit").mkdir()
    with pytest.raises(CheckpointError, match=r"20260103-fit', has no last\.ckpt[\s\S]*--ckpt_path .*20260102-fit"):
        find_checkpoint("last", command="fit", runs=runs)


def test_other_processes_look_past_the_folder_that_the_first_has_just_made(runs, monkeypatch):
    (runs / "20260103-fit").mkdir()
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    wanted = runs / "20260102-fit/checkpoints/last.ckpt"
    assert find_checkpoint("last", command="fit", runs=runs) == wanted


RECIPE = "model: {class_path: memcom_rank.tasks.RankNet}"
OVERLAY = "model: {init_args: {dim: 8}}"


@pytest.mark.parametrize(
    ("ranknet", "full", "flags", "fine"),
    [
        (RECIPE, OVERLAY, [], True),
        ("", OVERLAY, [], False),
        ("", OVERLAY, ["--model", "memcom_rank.tasks.RankNet"], True),
        ("", OVERLAY, ["--model=memcom_rank.tasks.RankNet"], True),
        ("model: memcom_rank.tasks.RankNet", OVERLAY, [], True),
        ("data: {batch_size: 8}", "", [], True),  # the parser says what is missing
        ("trainer: [", OVERLAY, [], True),  # and what is no YAML
    ],
)
def test_overlays_belong_to_a_recipe(configs, runs, ranknet, full, flags, fine):
    (configs / "ranknet.yaml").write_text(ranknet)
    (configs / "embedding/full.yaml").write_text(full)
    words = ["fit", "--config", "ranknet.yaml", "--config", "embedding/full.yaml", *flags]
    with contextlib.nullcontext() if fine else pytest.raises(ConfigError, match=r"no recipe .*ranknet\.yaml, emb"):
        expand(words, configs=configs, runs=runs)


def test_a_config_in_other_letters(configs, runs):
    (configs / "ranknet.yaml").write_bytes("# caf\u00e9".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"ranknet\.yaml' is no text in UTF-8"):
        expand(["fit", "--config", "ranknet.yaml"], configs=configs, runs=runs)


def test_a_checkpoint_is_a_recipe(configs, runs):
    (configs / "embedding/full.yaml").write_text(OVERLAY)
    expand(["fit", "--config", "embedding/full.yaml", "--ckpt_path", "last"], configs=configs, runs=runs)


@pytest.mark.parametrize("name", ["last", "best", "nowhere", "."])
def test_no_checkpoint(tmp_path, name):
    with pytest.raises(CheckpointError, match=f"no checkpoint '{name}'"):
        find_checkpoint(name, command="test", runs=tmp_path / "runs")


def test_settings_of_a_checkpoint(runs):
    path = runs / "20260101-fit/checkpoints/best.ckpt"
    model = {"class_path": "a.B", "init_args": {"dim": 8, "ks": (10, None)}}
    assert checkpoint_settings(path, command="test") == {"model": model, "data": {"path": "data/x"}}
    assert checkpoint_settings(path, command="fit") == {
        "model": model,
        "seed_everything": 4,
        "data": {"path": "data/x", "batch_size": 3, "keep_share": (0.5, 1.0)},
    }


def test_a_checkpoint_made_in_python_settles_nothing(tmp_path):
    torch.save({"hyper_parameters": {"dim": 8}, "state_dict": {}}, tmp_path / "a.ckpt")
    assert checkpoint_settings(tmp_path / "a.ckpt", command="test") == {}


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04"])
def test_no_checkpoint_at_all(tmp_path, content):
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match="is not a checkpoint, or a damaged one"):
        checkpoint_settings(tmp_path / "a.ckpt", command="test")


def test_a_weight_that_changed_on_the_disk(tmp_path):
    torch.save({"state_dict": {"rows": torch.ones(1000)}}, tmp_path / "a.ckpt")
    content = bytearray((tmp_path / "a.ckpt").read_bytes())
    content[content.index(torch.ones(4).numpy().tobytes()) + 3] ^= 0x80  # the first 1 is now -1
    (tmp_path / "a.ckpt").write_bytes(content)
    assert torch.load(tmp_path / "a.ckpt", weights_only=True)["state_dict"]["rows"][0] == -1  # torch does not notice
    with pytest.raises(CheckpointError, match="or a damaged one"):
        checkpoint_settings(tmp_path / "a.ckpt", command="test")


def test_a_name_that_changed_in_the_file(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "a.ckpt")
    content = bytearray((tmp_path / "a.ckpt").read_bytes())
    content[content.rindex(b"version")] ^= 0x80
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match="or a damaged one"):
        checkpoint_settings(tmp_path / "a.ckpt", command="test")


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "made"),))

    torch.save({"hyper_parameters": Evil()}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError):
        checkpoint_settings(tmp_path / "a.ckpt", command="test")
    assert not (tmp_path / "made").exists()


def test_the_checkpoints_settings_stand_between_the_configs_and_the_flags(configs, runs):
    words = [
        "test",
        "--ckpt_path",
        "last",
        "-c",
        "ranknet.yaml",
        "--model.init_args.dim=4",
        "--config=embedding/full.yaml",
        "--data.path",
        "data/mine",
    ]
    found = expand(words, configs=configs, runs=runs)
    assert found[:5] == [
        "test", "-c", str(configs / "ranknet.yaml"), "--config", str(configs / "embedding/full.yaml")
    ]  # fmt: skip
    assert found[5] == "--config"
    assert json.loads(found[6])["model"]["init_args"] == {"dim": 8, "ks": [10, None]}
    flags = ["--ckpt_path", str(runs / "20260102-fit/checkpoints/last.ckpt")]
    assert found[7:] == [*flags, "--model.init_args.dim=4", "--data.path", "data/mine"]  # also one before a config


def test_a_later_null_takes_the_checkpoint_back(configs, runs):
    found = expand(["fit", "--ckpt_path", "last", "--ckpt_path", "null"], configs=configs, runs=runs)
    assert "--config" not in found


@pytest.mark.parametrize("words", [[], ["fit"], ["--help"], ["fit", "--config"], ["fit", "--ckpt_path", "null"]])
def test_nothing_to_spell_out(configs, runs, words):
    assert expand(words, configs=configs, runs=runs) == words


def test_a_config_before_the_command(configs, runs):
    with pytest.raises(ConfigError, match="--config stands before the command"):
        expand(["--config=ranknet.yaml", "fit"], configs=configs, runs=runs)
