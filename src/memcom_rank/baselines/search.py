"""Baselines room (floor 2): which baselines there are, what is tried for each, and how the best is found.

Knob by knob: all choices of one knob with the others held, keep the best, go on to the next knob. Then once more, with
the choices next to the best one alone: by now the other knobs have moved.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from memcom_rank.baselines.bpr import Bpr
from memcom_rank.baselines.ease import RIDGES, Ease, gram_matrix
from memcom_rank.baselines.ials import Ials
from memcom_rank.baselines.item_knn import WEIGHTINGS, ItemKnn
from memcom_rank.baselines.popularity import Popularity

Knobs = dict[str, Any]


class Baseline(Protocol):
    """A fitted baseline."""

    def score(self, history_BL: Tensor) -> Tensor:
        """Return scores [B, V] of all ids, higher is better."""
        ...


class Contender(NamedTuple):
    """What is tried.

    Attributes:
        grid: choices of every knob.
        start: where the search begins.
    """

    grid: Mapping[str, Sequence[Any]]
    start: Knobs


CONTENDERS = {
    "popularity": Contender({}, {}),
    "ease": Contender({"ridge": RIDGES}, {"ridge": 200.0}),
    "item_knn": Contender(
        {"neighbours": (5, 10, 20, 50, 100, 200, 500), "weighting": WEIGHTINGS},
        {"neighbours": 100, "weighting": "tfidf"},
    ),
    "ials": Contender(
        {
            "regularization": (1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
            "alpha": (1.5, 3.0, 10.0, 30.0, 100.0),
            "factors": (32, 64, 128, 256),
        },
        {"regularization": 30.0, "alpha": 10.0, "factors": 64},
    ),
    "bpr": Contender(
        {"regularization": (0.001, 0.003, 0.01, 0.03), "iterations": (30, 100, 300), "factors": (32, 64, 128)},
        {"regularization": 0.01, "iterations": 100, "factors": 64},
    ),
}


class Trial(NamedTuple):
    """One fit and what it was worth on validation."""

    knobs: Knobs
    fitted: Baseline
    value: float
    fit_seconds: float


def trainers(facts: tuple[Tensor, Tensor, int, int], seed: int) -> dict[str, Callable[..., Baseline]]:
    """Return, by name, knobs -> fitted baseline.

    Args:
        facts: arguments of every baseline's `fit`.
        seed: of those that draw.
    """
    grams: list[Tensor] = []  # built once for all ridges, and not before EASE is wanted

    def ease(ridge: float) -> Baseline:
        if not grams:
            grams.append(gram_matrix(*facts))
        return Ease(ridge).fit_gram(grams[0])

    return {
        "popularity": lambda: Popularity().fit(*facts),
        "ease": ease,
        "item_knn": lambda **knobs: ItemKnn(**knobs).fit(*facts),
        "ials": lambda **knobs: Ials(**knobs, seed=seed).fit(*facts),
        "bpr": lambda **knobs: Bpr(**knobs, seed=seed).fit(*facts),
    }


def search(
    contender: Contender,
    fit: Callable[..., Baseline],
    value: Callable[[Baseline], float],
    report: Callable[[Trial], None] = lambda trial: None,
) -> Trial:
    """Return the best trial, the first of equals; no knobs are fitted twice.

    Args:
        contender: grid and start.
        fit: knobs -> fitted baseline.
        value: what to maximise, such as nDCG@10 on validation (never on test).
        report: told of every trial.
    """
    tried: set[tuple[Any, ...]] = set()

    def attempt(knobs: Knobs) -> Trial:
        tried.add(_key(knobs))
        began = time.perf_counter()
        fitted = fit(**knobs)
        seconds = time.perf_counter() - began
        trial = Trial(knobs, fitted, value(fitted), seconds)
        report(trial)
        return trial

    best = attempt(contender.start)
    for reach in (None, 1):
        for knob, choices in contender.grid.items():
            others, middle = best.knobs, choices.index(best.knobs[knob])
            near = choices if reach is None else choices[max(middle - reach, 0) : middle + reach + 1]
            for choice in near:
                knobs = {**others, knob: choice}
                if _key(knobs) not in tried:
                    best = max(best, attempt(knobs), key=lambda trial: trial.value)  # max keeps the first of equals
    return best


def _key(knobs: Knobs) -> tuple[Any, ...]:
    return tuple(sorted(knobs.items()))  # by name: names differ, so values are never compared
