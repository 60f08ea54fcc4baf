"""Compare room (floor 4): groups of cells -> pareto.png and pareto.svg, the headline on test against embedding bytes.

A point is the mean over seeds. Its bar is the 95% interval of the difference to the full table, paired by user, drawn
around the point: where it reaches the line of the full table, the two are not told apart.
"""

import importlib.util
import math
from collections.abc import Mapping, Sequence
from typing import Any

from memcom_rank.compare.cells import TWIN, Comparison
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
_MARKERS = "osD^vPXp<>*h"
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
_ROOM = 0.35  # of the span of the points, below and above; a baseline farther away is named at the edge instead


def check_plots() -> None:
    """Refuse to begin what could not be drawn.

    Raises:
        ConfigError: matplotlib is missing.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(
            "matplotlib is not installed",
            wanted="the package that draws the comparison",
            fix="pip install 'memcom-rank[plot]', in a checkout: pip install -e '.[plot]'",
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
        figure = Figure(figsize=(5.4 * len(heads) + 1.6, 3.9), layout="constrained")
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
    """A colour and a marker for each technique, whether it has points yet or not."""
    names = [name for name in comparison.techniques if name != TWIN]
    return {
        name: {"color": _COLOURS[i % len(_COLOURS)], "marker": _MARKERS[i % len(_MARKERS)]}
        for i, name in enumerate(names)
    }


def _panel(panel: Any, groups: Sequence[Group], known: Mapping[str, float], look: Mapping[str, dict[str, Any]]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    twin = next((group for group in groups if group.technique == TWIN), None)
    points = [group for group in groups if group is not twin]
    panel.set_xscale("log")
    for technique, style in look.items():
        mine = sorted((g for g in points if g.technique == technique), key=lambda g: g.mean("embedding.bytes"))
        x, y = [g.mean("embedding.bytes") for g in mine], [_mean(g) for g in mine]
        bars = [[-g.change[i] + g.change.mean if g.change else 0.0 for g in mine] for i in (3,)]
        bars += [[g.change.high - g.change.mean if g.change else 0.0 for g in mine]]
        panel.errorbar(x, y, yerr=bars, **style, markersize=5.5, markeredgecolor="white", markeredgewidth=0.6,
                       linewidth=1.3, elinewidth=1.0, capsize=2.5, zorder=3)  # fmt: skip
    every = [group.mean("embedding.bytes") for group in groups]
    left, right = min(every) / 1.6, max(every) * 1.6
    panel.set_xlim(left, right)
    _limit(panel, points, twin)
    if twin is not None:
        _line(panel, _mean(twin), f"full table, {byte_words(twin.mean('embedding.bytes'))}", "-", _INK)
    for name, value in known.items():
        _line(panel, value, name, ":", _QUIET)
    ticks = _ticks(every)
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(byte_words))
    panel.grid(axis="y", color="#e6e6e6", linewidth=0.7, zorder=0)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _mean(group: Group) -> float:
    return sum(group.values) / len(group.values)


def _limit(panel: Any, points: Sequence[Group], twin: Group | None) -> None:
    """Give the points the room: lines of other rankers do not press them together."""
    seen = [_mean(group) for group in (*points, *([twin] if twin else []))]
    seen += [_mean(g) + end - g.change.mean for g in points if g.change for end in (g.change.low, g.change.high)]
    span = max(max(seen) - min(seen), 0.02 * max(map(abs, seen)), 1e-3)
    panel.set_ylim(min(seen) - _ROOM * span, max(seen) + _ROOM * span)


def _line(panel: Any, value: float, name: str, style: str, colour: str) -> None:
    """A horizontal line with its name on it; one that lies outside is named at the edge, with its value."""
    low, high = panel.get_ylim()
    place = panel.get_yaxis_transform()
    if low <= value <= high:
        panel.axhline(value, color=colour, linestyle=style, linewidth=1.1, zorder=1)
        panel.annotate(name, (0.01, value), xycoords=place, xytext=(0, 2), textcoords="offset points",
                       fontsize=8, color=colour)  # fmt: skip
    else:
        edge, arrow = (low, "↓") if value < low else (high, "↑")
        panel.annotate(f"{arrow} {name} {value:.4f}", (0.01, edge), xycoords=place, xytext=(0, 3),
                       textcoords="offset points", fontsize=8, color=colour)  # fmt: skip


def _ticks(sizes: Sequence[float]) -> list[float]:
    """Powers of two or four times 1 kB, so that there are at most some eight."""
    low, high = math.log2(min(sizes) / 1.6), math.log2(max(sizes) * 1.6)
    step = max(1, math.ceil((high - low) / 7))
    return [2.0**power for power in range(math.ceil(low), math.floor(high) + 1) if power % step == 0]


def _legend(figure: Any, groups: Sequence[Group], look: Mapping[str, dict[str, Any]]) -> None:
    from matplotlib.lines import Line2D

    there = {group.technique for group in groups}
    handles = [
        Line2D([], [], **style, label=name, markersize=5.5, markeredgecolor="white", linewidth=1.3)
        for name, style in look.items()
        if name in there
    ]
    if handles:
        figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=9)
