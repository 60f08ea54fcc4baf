"""Compare room (floor 4): groups of cells -> results.md: what techniques are worth, at which size and cost."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from memcom_rank.compare.cells import TWIN, Comparison, ratio_words
from memcom_rank.compare.results import Group, grouped, references
from memcom_rank.compare.shelf import FAILED, FINISHED, INFEASIBLE, Result
from memcom_rank.contract.files import new_file

RESULTS_PAGE = "results.md"
_OWN_SIZE = "own size"  # column of techniques without a ratio


def write_page(results: Sequence[Result], comparison: Comparison) -> None:
    """Write results.md.

    Raises:
        WriteError: it cannot be written.
    """
    with new_file(comparison.output / RESULTS_PAGE) as path:
        path.write_text(page(results, comparison), encoding="utf-8")


def page(results: Sequence[Result], comparison: Comparison) -> str:
    """Return the page: for each head the headline, the change against the twin, sizes and costs."""
    metric, counts = comparison.metric, Counter(result.status for result in results)
    groups = grouped(results, metric)
    seeds = ", ".join(map(str, comparison.seeds))
    parts = [
        f"# {comparison.output.name}: test {metric}",
        f"Dataset `{comparison.data.name}`, seeds {seeds}. "
        f"Cells: {', '.join(f'{number} {status}' for status, number in counts.items())}.",
    ]
    for head in comparison.heads:
        mine = [group for group in groups if group.head == head]
        parts += [f"## {head}", _values(mine, references(results, head, metric))]
        parts += ["Mean ± standard deviation over seeds. Against the full table, in percent of it:", _changes(mine)]
        parts += [
            "Paired over users, the values of all seeds together: [95% interval] of the choice of users; the luck of a "
            "training run is in the deviation above. Means over seeds of what was reached, and at which cost:",
            _sizes(mine),
        ]
    unwell = [result for result in results if result.status in (INFEASIBLE, FAILED)]
    if unwell:
        parts += ["## Without a result", "\n".join(f"- {r.cell.title}, {r.status}: {r.reason}" for r in unwell)]
    return "\n\n".join(parts) + "\n"


def value_words(group: Group) -> str:
    """Return "0.2031 ± 0.0012", or what became of the group instead; "(1 of 3 seeds)" where some are missing."""
    if not group.finished:
        return group.status
    values = group.values
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    missing = f" ({len(values)} of {len(group.results)} seeds)" if len(values) < len(group.results) else ""
    return f"{statistics.fmean(values):.4f}{spread}{missing}"


def change_words(group: Group) -> str:
    """Return "-3.7% [-4.5%, -2.9%]"."""
    if group.change is None:
        return "-" if group.technique == TWIN or group.status == FINISHED else group.status
    if group.change.mean_a == 0:  # no user's held-out game was among the best: there is nothing to be a percent of
        return "-"
    mean, low, high = (100 * part / group.change.mean_a for part in group.change[2:5])
    return f"{mean:+.1f}% [{low:+.1f}%, {high:+.1f}%]"


def _values(groups: Sequence[Group], known: Mapping[str, float]) -> str:
    lines = _by_ratio(groups, value_words)
    others = len(_columns(groups)) - 1
    lines += [f"| {name} | {value:.4f} |" + " |" * others for name, value in known.items()]
    return "\n".join(lines)


def _changes(groups: Sequence[Group]) -> str:
    return "\n".join(_by_ratio([group for group in groups if group.technique != TWIN], change_words))


def _by_ratio(groups: Sequence[Group], words: Callable[[Group], str]) -> list[str]:
    columns = _columns(groups)
    cells = {(group.technique, ratio_words(group.target_ratio) or _OWN_SIZE): words(group) for group in groups}
    lines = [f"| technique | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    techniques = dict.fromkeys(group.technique for group in groups)
    return [*lines, *(f"| {t} |" + "".join(f" {cells.get((t, c), '')} |" for c in columns) for t in techniques)]


def _columns(groups: Sequence[Group]) -> list[str]:
    ratios = sorted({group.target_ratio or 0 for group in groups})
    return [ratio_words(ratio) if ratio else _OWN_SIZE for ratio in ratios]


def _sizes(groups: Sequence[Group]) -> str:
    lines = ["| technique | asked | reached | embedding bytes | whole model | epochs | seconds |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for group in groups:
        asked = ratio_words(group.target_ratio) or "-"
        if not group.finished:
            lines.append(f"| {group.technique} | {asked} | {group.status} | | | | |")
            continue
        ratio, *others = (group.mean(k) for k in ("embedding.ratio", "embedding.bytes", "model.bytes", "epochs"))
        figures = [
            f"{ratio:.1f}x",
            *(f"{x:,.0f}" for x in (*others, statistics.fmean(r.seconds for r in group.finished))),
        ]
        lines.append(f"| {group.technique} | {asked} | {' | '.join(figures)} |")
    return "\n".join(lines)
