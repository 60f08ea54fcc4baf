"""Export room (floor 4): what each format can. Takes what a device runs -> gives its file, and a way to run it here.

One file per format implements it (`onnx_format.py`, ...), loaded when the format is asked for: each needs packages of
its own.
"""

import abc
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from torch import nn

from memcom_rank.contract.errors import ConfigError
from memcom_rank.export.device import DeviceRanker
from memcom_rank.runtime import MAX_HISTORY

PARTS = {"embedding": "embedding", "bias": "bias", "match": "matcher"}  # of the device's module: name in a manifest
EXTRAS = {"onnx": "export", "executorch": "executorch", "litert": "litert", "coreml": "coreml"}  # extra by format

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
RankIds = Callable[[Ints], tuple[Ints, Floats]]  # histories [1, L] -> ids, scores [1, K]


class Made(NamedTuple):
    """A model's file.

    Attributes:
        data: its bytes.
        sizes: how many of them are the numbers of each part, and the graph.
        held: bytes of the numbers of all parts, each once, in the types that the format has.
    """

    data: bytes
    sizes: dict[str, int]
    held: int


class Probe(NamedTuple):
    """Python that runs a bundle in a fresh process.

    Attributes:
        idle: imports the runtime and gets it ready, with no model of ours.
        load: sets `rank`, a `RankIds`, from the bundle in the folder `sys.argv[1]`.
    """

    idle: str
    load: str


class Format(abc.ABC):
    """A format of a model's file.

    Attributes:
        runtime: its name in a manifest.
        file: the file's name in a bundle.
        usual_history: the longest history by default; None where any length will do.
        graph_bytes: most bytes that nodes, names and shapes take; a table in fp32, or twice, would be more.
        use: Markdown of the model card, how the file is run.

    Args:
        max_history: the longest history, or None for `usual_history`.

    Raises:
        ConfigError: a limit where there is none, or above what a bundle can say.
    """

    runtime: ClassVar[str]
    file: ClassVar[str]
    usual_history: ClassVar[int | None]
    graph_bytes: ClassVar[int]
    use: ClassVar[str]

    def __init__(self, max_history: int | None = None) -> None:
        if max_history is not None and self.usual_history is None:
            raise ConfigError(
                f"--max_history {max_history}",
                wanted=f"none: {self.runtime} takes histories of any length",
                fix="leave it out",
            )
        if max_history is not None and max_history > MAX_HISTORY:
            raise ConfigError(
                f"--max_history {max_history}",
                wanted=f"at most {MAX_HISTORY}: memory is set aside for it",
                fix="leave it out for the usual length",
            )
        self.max_history = max_history or self.usual_history

    @abc.abstractmethod
    def make(self, ranker: DeviceRanker) -> Made:
        """Return the model's file."""

    @abc.abstractmethod
    def open(self, folder: Path) -> RankIds | None:
        """Return what ranks by the bundle in `folder`, in the format's own runtime; None where this system has none.

        Of a history above `max_history` it takes the last games.
        """

    @abc.abstractmethod
    def probe(self) -> Probe:
        """Return what measures cold start and memory."""


def format_of(name: str, max_history: int | None = None) -> Format:
    """Return a format by its name on the command line.

    Raises:
        ConfigError: its packages are not installed, or see `Format`.
    """
    try:
        module: Any = importlib.import_module(f"memcom_rank.export.{name}_format")
    except ImportError as error:
        raise ConfigError(
            f"--format {name} cannot be made: {error}",
            wanted=f"the packages of the extra '{EXTRAS[name]}'",
            fix=f"pip install -e '.[{EXTRAS[name]}]'",
        ) from error
    return cast(Format, module.FORMAT(max_history))


def held_by_part(ranker: nn.Module) -> dict[str, int]:
    """Return the bytes of the numbers of each part: what is stored, and what could be computed again and is held."""
    sizes = dict.fromkeys(PARTS.values(), 0)
    buffers = {name: tensor for name, tensor in ranker.named_buffers() if not name.endswith(".like")}  # of no use there
    for name, tensor in {**buffers, **ranker.state_dict()}.items():
        sizes[PARTS[name.partition(".")[0]]] += tensor.nbytes
    return sizes
