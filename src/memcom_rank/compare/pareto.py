"""Compare room (floor 4): groups of cells -> pareto.png and pareto.svg, the headline on test against embedding bytes.

A point is the mean over seeds. Its bar is the 95% interval of the difference to the full table, paired by user, drawn
around the point: where it reaches the line of the full table, the two are not told apart.
"""

import importlib.util
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from memcom_rank.compare.cells import TWIN, Comparison, ratio_words
from memcom_rank.compare.results import Group, grouped, references
from memcom_rank.compare.shelf import Result
from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.files import new_file

PLOT_FILES = ("pareto.png", "pareto.svg")
# Paul Tol's bright and muted schemes: told apart by colour-blind readers too, with a marker each
_COLOURS = (
    "#4477AA",
    "#EE6677",
    "#228833",
    "#AA3377",
    "#66CCEE",
    "#CCBB44",
    "#332288",
    "#999933",
    "#882255",
    "#44AA99",
)
_MARKERS = "osD^vPX<>p"
_LINES = (":", "-.", "--", (0, (5, 1, 1, 1, 1, 1)))
_POINTS: dict[str, Any] = {"markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.6, "linewidth": 1.3}
_BESIDE, _FAN = 1.025, 1.1  # points of equal size stand beside one another, by this factor, and all within that one
_INK, _QUIET = "#222222", "#777777"
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.edgecolor": _QUIET,
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.8,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "memcom-rank",  # the same plot is the same file
}
_NEAR = 0.5  # spans of the points; a baseline farther away is named, not drawn
_MOST_TICKS = 8


def check_plots() -> None:
    """Refuse to begin what could not be drawn.

    Raises:
        ConfigError: matplotlib is missing.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(
            "matplotlib is not installed",
            wanted="the package that draws the comparison",
            fix="pip install -e '.[plot]'",
        )


def write_plots(results: Sequence[Result], comparison: Comparison) -> None:
    """Write both files, one panel a head; nothing where no cell is finished.

    Raises:
        WriteError: they cannot be written.
    """
    import matplotlib
    from matplotlib.figure import Figure  # no pyplot: no window, no state

    groups = [group for group in grouped(results, comparison.metric) if group.finished]
    heads = [head for head in comparison.heads if any(group.head == head for group in groups)]
    if not heads:
        return
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.4 * len(heads) + 1.6, 4.3), layout="constrained")
        panels = figure.subplots(1, len(heads), squeeze=False)[0]
        look = _looks(comparison)
        for panel, head in zip(panels, heads, strict=True):
            mine = [group for group in groups if group.head == head]
            _panel(panel, mine, references(results, head, comparison.metric), look)
            panel.set_title(head if len(heads) > 1 else "", loc="left", fontsize=10, color=_INK)
            panel.set_xlabel("embedding, bytes at rest")
        panels[0].set_ylabel(f"test {comparison.metric}")
        _legend(figure, groups, look)
        for name in PLOT_FILES:
            with new_file(comparison.output / name) as path:
                kind = name.rpartition(".")[2]
                figure.savefig(path, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else None)


def byte_words(size: float, _: object = None) -> str:
    """Return "64 kB": three digits at most, units of 1,000."""
    units = ["GB", "MB", "kB", "B"]
    while size >= 999.5 and len(units) > 1:
        size, _ = size / 1000, units.pop()
    return f"{size:.3g} {units[-1]}"


def _looks(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """A colour, a marker and a line for each technique, whether it has points yet or not."""
    names, colours = [name for name in comparison.techniques if name != TWIN], len(_COLOURS)
    return {
        name: {
            "color": _COLOURS[i % colours],
            "marker": _MARKERS[i % len(_MARKERS)],
            "linestyle": "-" if i < colours else "--",
        }
        for i, name in enumerate(names)
    }


def _panel(panel: Any, groups: Sequence[Group], known: Mapping[str, float], look: Mapping[str, dict[str, Any]]) -> None:
    twin = next((group for group in groups if group.technique == TWIN), None)
    points = [group for group in groups if group is not twin]
    panel.set_xscale("log")
    step = min(_BESIDE, _FAN ** (1 / max(len(look) - 1, 1)))
    for i, (technique, style) in enumerate(look.items()):
        mine = sorted((g for g in points if g.technique == technique), key=lambda g: g.mean("embedding.bytes"))
        beside = step ** (i - (len(look) - 1) / 2)
        x, y = [g.mean("embedding.bytes") * beside for g in mine], [_mean(g) for g in mine]
        bars = [[_bar(group)[side] for group in mine] for side in (0, 1)]
        panel.errorbar(x, y, yerr=bars, **style, **_POINTS, elinewidth=0.9, capsize=2, zorder=3)
    sizes = [group.mean("embedding.bytes") for group in groups]
    panel.set_xlim(min(sizes) / 1.4, max(sizes) * 1.4)
    low, high = _limits(points, twin, list(known.values()))
    panel.set_ylim(low, high)
    if twin is not None:
        size = twin.mean("embedding.bytes")
        panel.axhline(_mean(twin), color=_INK, linewidth=1.1, zorder=1, label=f"full table, {byte_words(size)}")
        panel.plot([size], [_mean(twin)], marker="o", color=_INK, markersize=5.5, zorder=4)
        _ratios(panel, points, size)
    for (name, value), dashes in zip(reversed(list(known.items())), itertools.cycle(_LINES), strict=False):
        outside = " (below)" if value < low else " (above)" if value > high else ""
        line = partial(panel.plot, [], []) if outside else partial(panel.axhline, value)
        line(color=_QUIET, linestyle=dashes, linewidth=1.1, zorder=1, label=f"{name} {value:.4f}{outside}")
    _ticks(panel)
    panel.grid(axis="y", color="#e6e6e6", linewidth=0.7, zorder=0)
    panel.set_axisbelow(True)
    panel.spines["right"].set_visible(False)
    handles, names = panel.get_legend_handles_labels()
    shown = [(handle, name) for handle, name in zip(handles, names, strict=True) if name not in look]
    if shown:
        shape = {"bbox_to_anchor": (-0.02, -0.15), "ncols": 2, "fontsize": 8, "frameon": False}
        panel.legend(*zip(*shown, strict=True), loc="upper left", **shape)


def _mean(group: Group) -> float:
    return statistics.fmean(group.values)


def _bar(group: Group) -> tuple[float, float]:
    """How far the interval of the difference reaches below and above the mean."""
    change = group.change
    return (0.0, 0.0) if change is None else (change.mean - change.low, change.high - change.mean)


def _limits(points: Sequence[Group], twin: Group | None, known: Sequence[float]) -> tuple[float, float]:
    """Give the points the room: a baseline far away does not press them together."""
    seen = [_mean(group) for group in (*points, *([twin] if twin else []))]
    seen += [end for group in points for end in (_mean(group) - _bar(group)[0], _mean(group) + _bar(group)[1])]
    low, high = min(seen), max(seen)
    span = max(high - low, 0.02 * abs(high), 1e-3)
    near = [value for value in known if low - _NEAR * span <= value <= high + _NEAR * span]
    low, high = min([low, *near]), max([high, *near])
    return low - 0.08 * span, high + 0.08 * span


def _ratios(panel: Any, points: Sequence[Group], full_bytes: float) -> None:
    """Say on top how many times smaller that is, at the ratios asked for."""
    ratios = sorted({group.target_ratio for group in points if group.target_ratio is not None})
    if not ratios:
        return
    top = panel.secondary_xaxis("top")
    top.set_xticks([full_bytes / ratio for ratio in ratios], [ratio_words(ratio) for ratio in ratios])
    top.minorticks_off()
    top.tick_params(length=2.5, labelsize=8)
    top.set_xlabel("times smaller than the full table", fontsize=8)


def _ticks(panel: Any) -> None:
    """Round bytes on the axis, at most eight."""
    low, high = panel.get_xlim()
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [digit * 10.0**power for power in powers for digit in digits if low <= digit * 10.0**power <= high]
        if len(ticks) <= _MOST_TICKS:
            break
    panel.set_xticks(ticks, [byte_words(tick) for tick in ticks])
    panel.minorticks_off()


def _legend(figure: Any, groups: Sequence[Group], look: Mapping[str, dict[str, Any]]) -> None:
    from matplotlib.lines import Line2D

    there = {group.technique for group in groups}
    handles = [Line2D([], [], **style, **_POINTS, label=name) for name, style in look.items() if name in there]
    if handles:
        figure.legend(handles=handles, loc="outside right upper", frameon=False)
