"""Callbacks room (floor 4): the closing table, plain text from a flat summary."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from memcom_rank.callbacks.slices import slice_words

_NAME = 33  # letters of a name, and a space


def summary_table(summary: Mapping[str, Any], stage: str, *, role: str, columns: Sequence[str], sliced: str) -> str:
    """Return the table that closes a run.

    Args:
        summary: flat keys as in summary.json.
        stage: "val" or "test": whose metrics are shown.
        role: what the model is, say "ranker".
        columns: metrics to show, where they were measured.
        sliced: the metric that is shown by slice.
    """
    columns = [c for c in columns if f"{stage}.{c}" in summary]
    technique = f"{summary['embedding.technique']} ({summary['embedding.ratio']:.1f}x smaller)"
    rows = [_row(f"{role}, {technique}", [summary[f"{stage}.{c}"] for c in columns])]
    if f"{stage}.users" in summary:  # a test, which knows its users one by one
        for label, end in (("  95% interval over users, from", "low"), ("  to", "high")):
            rows.append(_row(label, [summary.get(f"{stage}.{c}.{end}") for c in columns]))
    for name in _named(summary, r"baselines\.([^.]+)\."):
        values = [summary.get(f"baselines.{name}.{c}") for c in columns]
        reason = summary.get(f"baselines.{name}.skipped")
        rows.append(f"{name:34s}skipped: {reason}" if reason else _row(name, values))
    world = "synthetic.bayes" if stage == "test" else "synthetic.bayes.validation"
    bayes = [summary.get(f"{world}.{c}") for c in columns]
    if any(value is not None for value in bayes):
        rows.append(_row("best possible (Bayes)", bayes))
    head = f"{stage:34s}" + "".join(f"{c:>12s}" for c in columns)
    line = "-" * len(head)
    parts = [[head], rows, _slices(summary, stage, sliced), _sizes(summary)]
    return "\n".join(["", *(text for part in parts if part for text in (line, *part)), line, *_places(summary), ""])


def _row(name: str, values: list[float | None]) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in name)
    shown = shown if len(shown) <= _NAME else f"{shown[: _NAME - 1]}…"
    return f"{shown:34s}" + "".join(f"{value:12.4f}" if value is not None else f"{'-':>12s}" for value in values)


def _named(summary: Mapping[str, Any], key: str) -> list[str]:
    """Return what stands in the keys that begin like `key`, each once and in order."""
    return list(dict.fromkeys(found[1] for name in summary if (found := re.match(key, name, re.DOTALL))))


def _slices(summary: Mapping[str, Any], stage: str, sliced: str) -> list[str]:
    """One line a slice that has users."""
    lines = []
    for name in _named(summary, rf"{stage}\.slices\.(.+)\.users$"):
        key = f"{stage}.slices.{name}"
        if summary[f"{key}.users"]:
            values = [summary[f"{key}.{sliced}{end}"] for end in ("", ".low", ".high")]
            lines.append(_row(slice_words(name), values) + f"{summary[f'{key}.users']:12,d}")
    head = f"{'slice of the users':34s}{sliced:>12s}{'95% from':>12s}{'to':>12s}{'users':>12s}"
    return [head, *lines] if lines else []


def _sizes(summary: Mapping[str, Any]) -> list[str]:
    lines = [f"{'size':34s}{'bytes':>14s}{'full table':>14s}{'ratio':>8s}"]
    for name, label in (("embedding", "embedding"), ("model", "whole model")):
        size, full = summary[f"{name}.bytes"], summary[f"{name}.full_bytes"]
        lines.append(f"{label:34s}{size:14,d}{full:14,d}{full / size:7.1f}x")
    return lines


def _places(summary: Mapping[str, Any]) -> list[str]:
    lines = [f"run         {summary['run']}"]
    if summary.get("checkpoint"):
        lines.append(f"checkpoint  {summary['checkpoint']}")
    if "wandb.run" in summary:
        upload = "offline; to upload: wandb sync " if summary["wandb.offline"] else ""
        lines.append(f"W&B         {upload}{summary['wandb.run']}")
    if summary["command"] == "fit":
        run = summary["run"]
        lines.append(f"next        python train.py predict --config {run}/config.yaml --ckpt_path {run}")
    return lines
