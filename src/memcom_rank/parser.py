"""Command line (floor 5): the parser, whose errors name the option that was probably meant."""

import argparse
import difflib
import importlib
import inspect
import operator
import re
from collections.abc import Callable
from functools import reduce
from types import UnionType
from typing import Any, NoReturn, Union, get_args, get_origin

from jsonargparse import DefaultHelpFormatter
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.cli import LightningArgumentParser

from memcom_rank.contract.errors import ConfigError, MemcomRankError

_UNKNOWN = re.compile(
    r"Option '(?P<a>[\w.]+)' is not accepted"
    r"|does not accept option '(?P<b>[\w.]+)'"
    r"|[Kk]ey '(?P<c>[\w.]+)' is not expected"
    r"|unrecognized arguments: --(?P<d>[\w.]+)"
)
_NO_CLASS = re.compile(r"module '(?P<module>memcom_rank\.\w+)' has no attribute '(?P<name>\w+)'")
_NO_PATH = re.compile(r"Expected a dot import path string: (?P<name>\S+)")
_CLASS = re.compile(r"class_path '([\w.]+)'")


class _Formatter(argparse.RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Keeps the lines of the examples."""


class RankParser(LightningArgumentParser):
    """LightningArgumentParser that raises `ConfigError` instead of printing pages of usage."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # no abbreviations: one would reach Lightning without having been spelt out
        super().__init__(*args, formatter_class=_Formatter, allow_abbrev=False, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what was wrong in the configuration, with the nearest known option where one was misspelt.

        Raises:
            MemcomRankError: always; the named error behind `ex`, or a ConfigError.
        """
        known_error = named_error(ex)
        if known_error is not None:  # found by a parser or a constructor inside this one
            raise known_error from ex
        unknown, module = _UNKNOWN.search(message), _NO_CLASS.search(message)
        if unknown is not None:
            name = next(group for group in unknown.groups() if group)
            kind, known = "option", _option_names(self) | _parameter_names(message)
            fix = "correct the name; all are listed by: python train.py fit --help"
        elif module is not None:
            room, name = importlib.import_module(module["module"]), module["name"]
            classes, functions = (inspect.getmembers(room, is_one) for is_one in (inspect.isclass, inspect.isfunction))
            kind, fix = ("class", "correct the class_path") if classes else ("function", "correct its import path")
            known = {name for name, _ in classes or functions}
        elif (bare := _NO_PATH.search(message)) is not None:
            seen, wanted = f"'{bare['name']}' is no import path", "one such as memcom_rank.losses.bpr_loss"
            raise ConfigError(seen, wanted=wanted, fix="write the whole path, or take an overlay of configs/") from ex
        else:
            raise ConfigError(
                message,
                wanted="a configuration that the options accept",
                fix="add --config ranknet.yaml" if "are required" in message else "see: python train.py fit --help",
            ) from ex
        near = _nearest(name, known)
        raise ConfigError(
            f"unknown {kind} '{name}'",
            wanted=f"did you mean '{near}'?" if near else "a name that exists",
            fix=fix,
        ) from ex


def whole_numbers_first(function: Callable[..., Any]) -> None:
    """Have 1 read as the whole number where a parameter is a count or, with a decimal point, a fraction.

    The parser tries the types of a `Union` in order, and `typing` may hand Lightning's `Union[int, float]` back the
    other way round: which one depends on what else was imported before, and so on the environment. Then
    `--trainer.limit_val_batches 1` is 1.0, all batches. `int | float` keeps its order.
    """
    for name, hint in function.__annotations__.items():
        form: Any = get_origin(hint)
        kinds = get_args(hint)
        if form in (Union, UnionType) and int in kinds and float in kinds:
            function.__annotations__[name] = reduce(operator.or_, sorted(kinds, key=lambda kind: kind is not int))


def named_error(error: BaseException | None) -> MemcomRankError | None:
    """Return the named error behind `error`, if any: the parser wraps what constructors and inner parsers raise."""
    while error is not None and not isinstance(error, MemcomRankError):
        if isinstance(error, MisconfigurationException):  # the Trainer's own, e.g. a GPU asked for where there is none
            wanted = "trainer settings that fit one another and this machine"
            return ConfigError(str(error), wanted=wanted, fix="correct the setting that it names")
        error = error.__cause__
    return error


def _nearest(name: str, known: set[str]) -> str | None:
    """Return the known name most like `name`, whole or, failing that, by its last part."""
    for part in (name, name.split(".")[-1]):
        if near := difflib.get_close_matches(part, sorted(known), n=1, cutoff=0.55):
            return near[0]
    return None


def _option_names(parser: Any) -> set[str]:
    """Return "data.batch_size" and the like, of this parser and of its subcommands."""
    names: set[str] = set()
    for action in parser._actions:
        names |= {option.lstrip("-") for option in action.option_strings}
        for child in (action.choices or {}).values() if isinstance(action.choices, dict) else ():
            names |= _option_names(child)
    return names


def _parameter_names(message: str) -> set[str]:
    """Return the parameters of the classes that the message names."""
    names: set[str] = set()
    for path in _CLASS.findall(message):
        module, _, name = path.rpartition(".")
        try:
            names |= set(inspect.signature(getattr(importlib.import_module(module), name)).parameters)
        except (ImportError, AttributeError, ValueError):
            continue
    return names - {"self"}
