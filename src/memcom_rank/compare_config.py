"""Command line (floor 5): compare.yaml and the flags over it -> what is compared, every name looked up and checked."""

import difflib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from memcom_rank.compare.cells import TWIN, Comparison, read_yaml
from memcom_rank.config_files import find_config
from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.manifest import MANIFEST_FILE, read_manifest

_KEYS = ("data", "heads", "techniques", "ratios", "seeds", "flags", "metric", "processes", "output")
_OVERRULED = ("heads", "techniques", "ratios", "seeds", "metric", "processes", "output")
_DATA_KEYS = ("path", "build")
_METRIC = re.compile(r"(graded_)?ndcg(@[1-9]\d*)?|recall@[1-9]\d*|mrr|accuracy(@[1-9]\d*)?")
_CONFIG = ("-c", "--config")


class Request(NamedTuple):
    """What is asked for.

    Attributes:
        settings: the YAML file with the flags over it, checked.
        path: dataset folder, as given.
        build: flags of `data_prep build` where the dataset is missing; None where it is not to be built.
        processes: cells at once; None for as many as there are GPUs.
        output: folder of the comparison.
    """

    settings: dict[str, Any]
    path: Path
    build: list[str] | None
    processes: int | None
    output: Path


def read_request(config: str, given: Mapping[str, Any], flags: Sequence[str], configs: Path) -> Request:
    """Read what is asked for.

    Args:
        config: name of a YAML file, looked up in `configs`.
        given: keys of the file, and "data.path", to be overruled; None where one is not.
        flags: added to those of the file.
        configs: folder of the shipped configs.

    Raises:
        ConfigError: no such file, or a key or value in it that is missing, misspelt or out of range.
    """
    settings = read_yaml(find_config(config, configs))
    _check_keys(settings, _KEYS, config)
    data = settings["data"]
    _check_keys(data if isinstance(data, dict) else {}, _DATA_KEYS, f"data of {config}")
    path, build = Path(str(data["path"])), data["build"]
    if given.get("data.path") is not None:
        path, build = Path(given["data.path"]), None  # the file's flags are those of the file's dataset
    settings |= {key: given[key] for key in _OVERRULED if given.get(key) is not None}
    for key in ("heads", "techniques", "ratios", "seeds"):
        settings[key] = list(dict.fromkeys(_list(settings[key], key)))
        if not settings[key] and key != "ratios":
            raise _wrong(key, [], "at least one", "name one")
    settings["flags"] = [*_words(settings["flags"], "flags"), *flags]
    _check_numbers(settings)
    if not _METRIC.fullmatch(str(settings["metric"])):
        wanted = "a metric of users: ndcg@K, graded_ndcg@K, recall@K, ndcg, graded_ndcg, mrr; of labels accuracy@K"
        raise _wrong("metric", settings["metric"], wanted, "try ndcg@10")
    words = None if build is None else _words(build, "data.build")
    return Request(settings, path, words, settings["processes"], Path(str(settings["output"])))


def comparison_of(request: Request, configs: Path, *, running: bool) -> Comparison:
    """Look up what a request names.

    Args:
        request: what is asked for; its dataset has been built.
        configs: folder of the shipped configs.
        running: whether cells are to be run, so that the dataset has to be there.

    Raises:
        ConfigError: an unknown technique or recipe, or two of one name.
        DatasetError: no dataset, or a damaged one.
    """
    settings = request.settings
    there = running or (request.path / MANIFEST_FILE).exists()
    return Comparison(
        data=request.path.absolute(),
        heads=_named("heads", [find_config(name, configs).absolute() for name in settings["heads"]]),
        techniques=_named("techniques", [_technique(name, configs) for name in _with_twin(settings["techniques"])]),
        ratios=settings["ratios"],
        seeds=settings["seeds"],
        flags=_found(settings["flags"], configs),
        metric=settings["metric"],
        output=request.output.absolute(),
        digest=read_manifest(request.path).digest if there else None,
    )


def _check_keys(found: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            wanted = f"did you mean '{near[0]}'?" if near else f"one of {', '.join(known)}"
            raise ConfigError(f"unknown key '{key}' in {where}", wanted=wanted, fix="correct it; see compare.yaml")
    if missing := [key for key in known if key not in found]:
        raise ConfigError(
            f"{where} has no {' and no '.join(missing)}",
            wanted=f"all of {', '.join(known)}",
            fix="start from a copy of configs/compare.yaml",
        )


def _check_numbers(settings: Mapping[str, Any]) -> None:
    for ratio in settings["ratios"]:
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 1 <= ratio < math.inf:
            wanted = "numbers of at least 1: bytes of the full table / bytes"
            raise _wrong("ratios", ratio, wanted, f"write e.g. 16; the full table itself is always there ('{TWIN}')")
    for seed in settings["seeds"]:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise _wrong("seeds", seed, "whole numbers from 0 on", "write e.g. 1")
    processes = settings["processes"]
    if processes is not None and (isinstance(processes, bool) or not isinstance(processes, int) or processes < 1):
        raise _wrong("processes", processes, "null or a whole number from 1 on", "null: one cell per GPU")


def _technique(name: str, configs: Path) -> Path:
    """Return the overlay of a shipped technique, or a YAML file of the user's own."""
    own, shipped = Path(name), configs / "embedding" / f"{name}.yaml"
    if name.endswith(".yaml") and own.is_file():
        return own.absolute()
    if shipped.is_file():
        return shipped.absolute()
    known = sorted(path.stem for path in (configs / "embedding").glob("*.yaml"))
    near = difflib.get_close_matches(name, known, n=1)
    raise ConfigError(
        f"unknown technique '{name}'",
        wanted=f"one of {', '.join(known)}, or the path of a YAML file of your own",
        fix=f"did you mean {near[0]}?" if near else "correct the name",
    )


def _with_twin(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([TWIN, *map(str, names)]))


def _named(key: str, paths: Sequence[Path]) -> dict[str, Path]:
    names = {path.stem: path for path in paths}
    if len(names) < len(paths):
        twice = next(path.stem for path in paths if names[path.stem] != path)
        raise _wrong(key, twice, "files of different names: cells are named after them", "rename one")
    return names


def _found(flags: Sequence[str], configs: Path) -> list[str]:
    """Spell out configs: cells run in folders of their own."""
    words = [part for word in flags for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    before = ["", *words]
    return [
        str(find_config(word, configs).absolute()) if option in _CONFIG else word
        for option, word in zip(before, words, strict=False)
    ]


def _words(value: Any, key: str) -> list[str]:
    """Turn what YAML made numbers of into words again."""
    return [word if isinstance(word, str) else json.dumps(word) for word in _list(value, key)]


def _list(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(key, value, "a list", f"write {key.rpartition('.')[2]}: [...]")
    return value


def _wrong(key: str, value: Any, wanted: str, fix: str) -> ConfigError:
    return ConfigError(f"{key} is {value}", wanted=wanted, fix=fix)
