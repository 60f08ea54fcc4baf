"""Compare room (floor 4): what is to be compared -> its cells, each one run of train.py.

Cells are heads x techniques x ratios x seeds. The uncompressed twin, and an overlay without a ratio, is one cell
a seed. A cell holds every setting that decides its outcome, so that one made otherwise is noticed.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from memcom_rank.contract.errors import ConfigError

TWIN = "full"  # the technique that the others are compared with
_EMBEDDING = "model.init_args.embedding"
_RATIO = f"--{_EMBEDDING}.init_args.target_ratio"
_CONFIG = ("-c", "--config")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared with what.

    Attributes:
        data: dataset folder, absolute as are all paths here.
        heads: recipes by name, e.g. "ranknet".
        techniques: overlays by name; `TWIN` is among them.
        ratios: target ratios, at least 1 each.
        seeds: of the runs.
        flags: of every `train.py fit`, configs as files.
        metric: the headline, a metric of users such as "ndcg@10".
        output: folder of the cells and of what is made of them.
        digest: of the dataset; None where it is not there and nothing is run.
    """

    data: Path
    heads: dict[str, Path]
    techniques: dict[str, Path]
    ratios: list[float]
    seeds: list[int]
    flags: list[str]
    metric: str
    output: Path
    digest: str | None


class Cell(NamedTuple):
    """One run.

    Attributes:
        head: name of its recipe.
        technique: name of its overlay.
        target_ratio: what is asked for; None where the technique has a size of its own.
        seed: of the run.
        words: command line of train.py.
        settings: what decides the outcome: contents of configs, flags, seed, the dataset's digest.
    """

    head: str
    technique: str
    target_ratio: float | None
    seed: int
    words: tuple[str, ...]
    settings: dict[str, Any]

    @property
    def title(self) -> str:
        """For people: "ranknet memcom 16x seed 1"."""
        return " ".join(filter(None, [self.head, self.technique, ratio_words(self.target_ratio), f"seed {self.seed}"]))

    @property
    def name(self) -> str:
        """For files: "ranknet-memcom-16x-seed-1"."""
        return self.title.replace(" ", "-")


def ratio_words(target_ratio: float | None) -> str:
    """Return "16x", or nothing for a technique of its own size."""
    return "" if target_ratio is None else f"{target_ratio:.15g}x"


def plan(comparison: Comparison) -> list[Cell]:
    """Return all cells, one seed after the other, so that a part of them is a comparison already; the twin first.

    Raises:
        ConfigError: a config cannot be read, a technique's overlay has no embedding, or the flags have one.
    """
    heads = {name: read_yaml(path) for name, path in comparison.heads.items()}
    overlays = {name: read_yaml(path) for name, path in comparison.techniques.items()}
    sizes = {name: comparison.ratios if _has_ratio(name, overlays[name]) else [None] for name in overlays}
    order = sorted(overlays, key=lambda name: name != TWIN)  # a stable sort
    flags = _contents(comparison.flags)
    _check_flags(flags)
    cells = []
    for seed in comparison.seeds:
        for head, recipe in heads.items():
            for technique in order:
                for ratio in sizes[technique]:
                    decides = {
                        "head": recipe,
                        "technique": overlays[technique],
                        "target_ratio": ratio,
                        "seed": seed,
                        "flags": flags,
                        **({"dataset": comparison.digest} if comparison.digest is not None else {}),
                    }
                    words = _words(comparison, head, technique, ratio, seed)
                    cells.append(Cell(head, technique, ratio, seed, words, decides))
    return cells


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a config.

    Raises:
        ConfigError: it is not there, or is no YAML mapping.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"'{path}' cannot be read: {error}", wanted="a YAML file", fix="correct it") from error
    if not isinstance(found, dict):
        raise ConfigError(f"'{path}' holds no settings", wanted="a YAML mapping, key: value", fix="correct it")
    return found


def _has_ratio(name: str, overlay: dict[str, Any]) -> bool:
    try:
        knobs = overlay["model"]["init_args"]["embedding"].get("init_args") or {}
    except (KeyError, TypeError, AttributeError):
        raise ConfigError(
            f"the technique '{name}' is no overlay of an embedding",
            wanted="model.init_args.embedding with a class_path and its init_args",
            fix="start from a copy of configs/embedding/memcom.yaml",
        ) from None
    return knobs.get("target_ratio") is not None


def _check_flags(flags: Sequence[Any]) -> None:
    """Refuse flags that overrule what is compared, the twin too."""
    for flag in flags:
        if str(flag).startswith(f"--{_EMBEDDING}") or (isinstance(flag, dict) and _has_embedding(flag)):
            raise ConfigError(
                f"the flags of all runs set {_EMBEDDING}, which is what is compared",
                wanted="settings that all runs share: batches, epochs, the match, ...",
                fix="leave it out of them; a technique of your own is a YAML file: --techniques memcom mine.yaml",
            )


def _has_embedding(config: dict[str, Any]) -> bool:
    model = config.get("model")
    settings = model.get("init_args") if isinstance(model, dict) else None
    return isinstance(settings, dict) and "embedding" in settings


def _words(comparison: Comparison, head: str, technique: str, ratio: float | None, seed: int) -> tuple[str, ...]:
    """What is compared comes last, so that no flag overrules it."""
    configs = (comparison.heads[head], comparison.techniques[technique])
    return (
        "fit",
        *(word for path in configs for word in ("--config", str(path))),
        *comparison.flags,
        *(() if ratio is None else (_RATIO, f"{ratio:.15g}")),
        *("--seed_everything", str(seed), "--data.path", str(comparison.data)),
    )


def _contents(flags: Sequence[str]) -> list[Any]:
    """Put the contents of configs in the place of their names."""
    before = ["", *flags]
    return [read_yaml(Path(word)) if option in _CONFIG else word for option, word in zip(before, flags, strict=False)]
