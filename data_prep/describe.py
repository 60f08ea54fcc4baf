"""Describe: a manifest -> a table for people."""

from memcom_rank.contract.manifest import Manifest

_SHOWN_LABELS = 10


def describe(manifest: Manifest) -> str:
    """Return the manifest as lines of text: sizes, options, steps, splits, grades, references, digest."""
    lines = [
        f"dataset      {manifest.source}, seed {manifest.seed}, {'timed' if manifest.timed else 'untimed'}",
        f"options      {_listed(manifest.options)}",
        f"users        {manifest.num_users:,} ({manifest.user_type} ids)",
        f"games        {manifest.num_games:,} ({manifest.game_type} ids)",
        f"steps        {' -> '.join(f'{name} {count:,}' for name, count in manifest.steps.items())}",
        "",
    ]
    for split, figures in manifest.splits.items():
        apart = ("grade_", "later_", "label_")
        plain = {name: value for name, value in figures.items() if not name.startswith(apart)}
        lines.append(f"{split:<13}{_listed(plain)}")
    lines += ["", *_labels(manifest), *_grades(manifest)]
    lines += [f"reference    {name} {value:.4f}" for name, value in manifest.references.items()]
    lines.append(f"digest       {manifest.digest}")
    return "\n".join(lines)


def _labels(manifest: Manifest) -> list[str]:
    """The most frequent labels of the training users."""
    train = manifest.splits["train"]
    counts = sorted(((train.get(f"label_{name}", 0), name) for name in manifest.labels), key=lambda c: (-c[0], c[1]))
    lines = [f"label        {n:>13,.0f} training users ({n / train['users']:.1%}): {name}" for n, name in counts]
    more = len(lines) - _SHOWN_LABELS
    return [*lines[:_SHOWN_LABELS], *[f"             and {more:,} more labels"] * (more > 0)]


def _grades(manifest: Manifest) -> list[str]:
    counts = {name: n for name, n in manifest.splits["train"].items() if name.startswith("grade_")}
    edges = manifest.grade_edges_hours
    lines = []
    for name, count in counts.items():
        grade = int(name.removeprefix("grade_"))
        if grade == 1:
            what = "owned, never played"
        elif not edges:
            what = "played"
        elif grade - 2 == len(edges):
            what = f"over {edges[-1]:g} h"
        else:
            what = f"up to {edges[grade - 2]:g} h"
        lines.append(f"grade {grade:<7}{count:>13,.0f} training rows, {what}")
    return lines


def _listed(values: dict[str, object] | dict[str, float]) -> str:
    return ", ".join(
        f"{name} {value:,}" if isinstance(value, (int, float)) else f"{name} {value}" for name, value in values.items()
    )
