"""Command line (floor 5): the parser, whose errors name the option that was probably meant."""

import difflib
import importlib
import inspect
import re
from typing import Any, NoReturn

from pytorch_lightning.cli import LightningArgumentParser

from memcom_rank.contract.errors import ConfigError, MemcomRankError

_UNKNOWN = re.compile(
    r"Option '(?P<a>[\w.]+)' is not accepted"
    r"|does not accept option '(?P<b>[\w.]+)'"
    r"|[Kk]ey '(?P<c>[\w.]+)' is not expected"
    r"|unrecognized arguments: --(?P<d>[\w.]+)"
)
_CLASS = re.compile(r"class_path '([\w.]+)'")


class RankParser(LightningArgumentParser):
    """LightningArgumentParser that raises `ConfigError` instead of printing pages of usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what was wrong in the configuration, with the nearest known option where one was misspelt.

        Raises:
            MemcomRankError: always; the named error behind `ex`, or a ConfigError.
        """
        known_error = named_error(ex)
        if known_error is not None:  # found by a parser or a constructor inside this one
            raise known_error from ex
        unknown = _UNKNOWN.search(message)
        if unknown is None:
            raise ConfigError(
                message, wanted="a configuration that the options accept", fix="see: python train.py fit --help"
            ) from ex
        name = next(group for group in unknown.groups() if group)
        known = sorted(_option_names(self) | _parameter_names(message))
        near = difflib.get_close_matches(name, known, n=1) or difflib.get_close_matches(name.split(".")[-1], known, n=1)
        raise ConfigError(
            f"unknown option '{name}'",
            wanted=f"did you mean '{near[0]}'?" if near else "an option of the command or of the chosen class",
            fix="correct the name; all are listed by: python train.py fit --help",
        ) from ex


def named_error(error: BaseException | None) -> MemcomRankError | None:
    """Return the named error behind `error`, if any: the parser wraps what constructors and inner parsers raise."""
    while error is not None and not isinstance(error, MemcomRankError):
        error = error.__cause__
    return error


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
