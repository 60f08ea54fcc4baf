"""Command line (floor 5): what a user may type in short, spelt out before the parser sees it.

- `--config ranknet.yaml` is looked up in `configs/`;
- `--ckpt_path best`, `last`, a run folder or a file becomes a checkpoint file;
- a checkpoint's own settings stand in for those of the configs, and flags overrule both.
"""

import itertools
import json
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from pytorch_lightning.utilities import rank_zero_only

from memcom_rank.config_files import find_config
from memcom_rank.contract.errors import CheckpointError, ConfigError

CHECKPOINTS = "checkpoints"
BEST, LAST = "best.ckpt", "last.ckpt"
_LINKED = ("num_ids", "num_labels", "seed")  # come from the dataset and from seed_everything
_DAMAGES = (OSError, RuntimeError, EOFError, AttributeError, ValueError)  # as zipfile and torch find them
_OPTIONS = ("-c", "--config", "--ckpt_path")


def expand(argv: Sequence[str], *, configs: Path, runs: Path) -> list[str]:
    """Return `argv` with config names, the checkpoint and the checkpoint's settings spelt out.

    Args:
        argv: the command line without the program: the subcommand first.
        configs: folder in which bare config names are looked up.
        runs: folder of all runs, for `--ckpt_path best` and `last`.

    Raises:
        ConfigError: a named config does not exist, or stands before the subcommand.
        CheckpointError: there is no such checkpoint, or it cannot be read.
    """
    words = _split_equals(argv)
    if words and words[0] in _OPTIONS:
        raise ConfigError(
            f"{words[0]} stands before the command",
            wanted="the command first: fit, validate, test or predict",
            fix="python train.py fit --config ranknet.yaml",
        )
    in_config, settings, named = [False] * len(words), dict[str, Any](), list[str]()
    for place in range(1, len(words)):
        option, value = words[place - 1], words[place]
        if option in ("-c", "--config"):
            named.append(value)
            words[place] = str(find_config(value, configs))
            in_config[place - 1 : place + 1] = [True, True]
        elif option == "--ckpt_path" and value == "null":
            settings = {}
        elif option == "--ckpt_path":
            path = find_checkpoint(value, command=words[0], runs=runs)
            words[place], settings = str(path), checkpoint_settings(path, command=words[0])
    if settings:  # above configs and below flags, wherever these stand
        said = list(zip(words, in_config, strict=True))[1:]
        named_configs, flags = ([word for word, config in said if config is kind] for kind in (True, False))
        words = [words[0], *named_configs, "--config", json.dumps(settings), *flags]
    _check_recipe(words, named)
    return words


def _check_recipe(words: Sequence[str], named: Sequence[str]) -> None:
    """Refuse overlays without the recipe that they belong to: which option of which class they set is not known."""
    configs = [value for option, value in itertools.pairwise(words) if option in ("-c", "--config")]
    try:
        contents = [yaml.safe_load(text if text.startswith("{") else _read_text(text)) for text in configs]
    except yaml.YAMLError:
        return  # the parser says where
    models = [config["model"] for config in contents if isinstance(config, dict) and config.get("model")]
    flagged = any(word.partition("=")[0] == "--model" for word in words)
    if flagged or not models or any(isinstance(model, str) or "class_path" in model for model in models):
        return
    raise ConfigError(
        f"no recipe among the configs: {', '.join(named)}",
        wanted="a recipe, which names the model, and then its overlays",
        fix=f"python train.py {words[0]} --config ranknet.yaml --config {named[-1]}",
    )


def find_checkpoint(name: str, *, command: str, runs: Path) -> Path:
    """Return the checkpoint file that `name` means: a file, a run folder, or "best" or "last" of the newest run.

    From a run folder, `fit` goes on with the last checkpoint and the other commands take the best.
    """
    if Path(name).is_file():
        return Path(name)
    wanted = {"best": BEST, "last": LAST}.get(name, LAST if command == "fit" else BEST)
    if name in ("best", "last"):
        return _of_newest_run(name, wanted, runs)
    for path in (Path(name) / CHECKPOINTS / wanted, Path(name) / wanted):
        if path.is_file():
            return path
    raise CheckpointError(
        f"no checkpoint '{name}'",
        wanted=f"a .ckpt file, a run folder with {CHECKPOINTS}/{wanted}, or 'best' or 'last' of the newest run",
        fix="train first: python train.py fit --config ranknet.yaml",
    )


def _of_newest_run(name: str, wanted: str, runs: Path) -> Path:
    """Return the checkpoint of the newest fit; never that of an older one, which may be of other data."""
    fits = sorted((path for path in runs.glob("*-fit*") if path.is_dir()), key=lambda path: path.name)
    found = [path / CHECKPOINTS / wanted for path in fits if (path / CHECKPOINTS / wanted).is_file()]
    first = rank_zero_only(lambda: True, False)()  # by the time others look, it may have made the new run's folder
    if found and (found[-1].parent.parent == fits[-1] or not first):
        return found[-1]
    newest = f"the newest run, '{fits[-1]}', has no {wanted}" if fits else f"'{runs}' holds no run"
    raise CheckpointError(
        f"no checkpoint '{name}': {newest}",
        wanted="a run that finished an epoch",
        fix=f"take an older run: --ckpt_path {found[-1].parent.parent}" if found else "train first",
    )


def _read_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"'{path}' is no text in UTF-8: {error}", wanted="UTF-8", fix="save it so") from error


class Progress(NamedTuple):
    """How far a checkpoint's run had come.

    Attributes:
        epochs: that it trained.
        steps: that it trained.
        stopped: it was to end there, by early stopping.
    """

    epochs: int
    steps: int
    stopped: bool


def progress_of(path: Path) -> Progress | None:
    """Return how far a checkpoint's run had come; None where it holds weights alone."""
    checkpoint = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    if "loops" not in checkpoint:
        return None
    loop = checkpoint["loops"]["fit_loop"]
    progress = loop["epoch_progress"]["current"]
    # written in the validation of an epoch that is trained, and not yet at its end
    trained = loop["epoch_loop.batch_progress"]["is_last_batch"] and progress["processed"] < progress["started"]
    stops = [state for state in checkpoint["callbacks"].values() if {"wait_count", "patience"} <= state.keys()]
    stopped = any(state["wait_count"] >= state["patience"] for state in stops)
    return Progress(int(progress["processed"] + trained), int(checkpoint["global_step"]), stopped)


def checkpoint_settings(path: Path, *, command: str) -> dict[str, Any]:
    """Return what a checkpoint was trained with, as a config: its model, its dataset and, for `fit`, its batches."""
    try:
        with zipfile.ZipFile(path) as parts:  # whose checksums torch writes and does not read
            if damaged := parts.testzip():
                raise zipfile.BadZipFile(damaged)
        checkpoint = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        model = dict(checkpoint.get("hyper_parameters", {}))
        data = dict(checkpoint.get("datamodule_hyper_parameters", {}))
    except (*_DAMAGES, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"'{path}' is not a checkpoint, or a damaged one ({type(error).__name__})",
            wanted="a .ckpt file written by fit",
            fix="take another checkpoint of the run, or train again",
        ) from error
    class_path = model.pop("_class_path", None)
    settings: dict[str, Any] = {}
    if class_path:
        settings["model"] = {"class_path": class_path, "init_args": _own(model)}
    if data and command == "fit":  # goes on as it began
        settings |= {"seed_everything": data["seed"], "data": _own(data)}
    elif data:
        settings["data"] = {"path": data["path"]}
    return settings


def _own(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _LINKED and not name.startswith("_")}


def _split_equals(argv: Sequence[str]) -> list[str]:
    words: list[str] = []
    for word in argv:
        name, equals, value = word.partition("=")
        words += [name, value] if equals and name in _OPTIONS else [word]
    return words
