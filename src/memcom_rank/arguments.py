"""Command line (floor 5): what a user may type in short, spelt out before the parser sees it.

- `--config ranknet.yaml` is looked up in `configs/`;
- `--ckpt_path last`, a run folder or a file becomes a checkpoint file;
- a checkpoint's own model settings stand in for those of the configs, and flags overrule both.
"""

import difflib
import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import torch

from memcom_rank.contract.errors import CheckpointError, ConfigError

CHECKPOINTS = "checkpoints"
BEST, LAST = "best.ckpt", "last.ckpt"


def expand(argv: Sequence[str], *, configs: Path, runs: Path) -> list[str]:
    """Return `argv` with config names, the checkpoint and the checkpoint's model settings spelt out.

    Args:
        argv: the command line without the program: the subcommand first.
        configs: folder in which bare config names are looked up.
        runs: folder of all runs, for `--ckpt_path last`.

    Raises:
        ConfigError: a named config does not exist.
        CheckpointError: there is no such checkpoint, or it cannot be read.
    """
    words = _split_equals(argv)
    after_configs = 1
    for place in range(len(words) - 1):
        if words[place] in ("-c", "--config"):
            words[place + 1] = str(find_config(words[place + 1], configs))
            after_configs = place + 2
        elif words[place] == "--ckpt_path" and words[place + 1] not in ("best", "null"):
            words[place + 1] = str(find_checkpoint(words[place + 1], command=words[0], runs=runs))
    if "--ckpt_path" in words[:-1]:
        settings = checkpoint_settings(Path(words[words.index("--ckpt_path") + 1]))
        words[after_configs:after_configs] = ["--config", json.dumps(settings)] if settings else []
    return words


def find_config(name: str, configs: Path) -> Path:
    """Return the file `name` as given, or inside `configs`."""
    for path in (Path(name), configs / name):
        if path.is_file():
            return path
    known = sorted(str(path.relative_to(configs)) for path in configs.rglob("*.yaml"))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    raise ConfigError(
        f"no config '{name}', neither here nor in '{configs}'",
        wanted=f"a YAML file, or one of: {', '.join(known)}",
        fix=f"did you mean --config {near[0]} ?" if near else "check the name",
    )


def find_checkpoint(name: str, *, command: str, runs: Path) -> Path:
    """Return the checkpoint file that `name` means: a file, a run folder, or "last" for the newest run's.

    From a run folder, `fit` goes on with the last checkpoint and the other commands take the best.
    """
    if Path(name).is_file():
        return Path(name)
    wanted = LAST if command == "fit" or name == "last" else BEST
    if name == "last":
        found = sorted(runs.glob(f"*/{CHECKPOINTS}/{wanted}"), key=lambda path: path.stat().st_mtime)
    else:
        found = [path for path in (Path(name) / CHECKPOINTS / wanted, Path(name) / wanted) if path.is_file()][:1]
    if not found:
        raise CheckpointError(
            f"no checkpoint '{name}'",
            wanted=f"a .ckpt file, a run folder with {CHECKPOINTS}/{wanted}, or 'last' with a run in '{runs}'",
            fix="train first: python train.py fit --config ranknet.yaml",
        )
    return found[-1]


def checkpoint_settings(path: Path) -> dict[str, object]:
    """Return the model settings and the dataset path that a checkpoint was trained with, as a config."""
    try:
        checkpoint = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        model = dict(checkpoint.get("hyper_parameters", {}))
        data = checkpoint.get("datamodule_hyper_parameters", {})
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, AttributeError) as error:
        raise CheckpointError(
            f"'{path}' cannot be read as a checkpoint: {error}",
            wanted="a .ckpt file written by fit",
            fix="take another checkpoint of the run, or train again",
        ) from error
    model.pop("_instantiator", None)
    class_path = model.pop("_class_path", None)
    model.pop("num_ids", None)  # comes from the dataset
    settings: dict[str, object] = {"model": {"class_path": class_path, "init_args": model}} if class_path else {}
    return {**settings, "data": {"path": data["path"]}} if "path" in data else settings


def _split_equals(argv: Sequence[str]) -> list[str]:
    words: list[str] = []
    for word in argv:
        name, equals, value = word.partition("=")
        words += [name, value] if equals and name in ("-c", "--config", "--ckpt_path") else [word]
    return words
