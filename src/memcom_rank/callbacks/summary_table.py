"""Callbacks room (floor 4): the closing table, plain text from a flat summary."""

from collections.abc import Mapping
from typing import Any

_COLUMNS = ("ndcg@10", "ndcg", "recall@10", "mrr", "coverage@10")


def summary_table(summary: Mapping[str, Any], stage: str) -> str:
    """Return the table that closes a run.

    Args:
        summary: flat keys as in summary.json.
        stage: "val" or "test": whose metrics are shown.
    """
    columns = [c for c in _COLUMNS if f"{stage}.{c}" in summary]
    technique = f"{summary['embedding.technique']} ({summary['embedding.ratio']:.1f}x smaller)"
    rows = [_row(f"ranker, {technique}", [summary[f"{stage}.{c}"] for c in columns])]
    for name in ("popularity", "ease"):
        values = [summary.get(f"baselines.{name}.{c}") for c in columns]
        reason = summary.get(f"baselines.{name}.skipped")
        rows.append(f"{name:34s}skipped: {reason}" if reason else _row(name, values))
    bayes = [summary.get(f"synthetic.bayes.{c}") for c in columns]
    if stage == "test" and any(value is not None for value in bayes):
        rows.append(_row("best possible (Bayes)", bayes))
    head = f"{stage:34s}" + "".join(f"{c:>12s}" for c in columns)
    line = "-" * len(head)
    return "\n".join(["", line, head, line, *rows, line, *_sizes(summary), line, *_places(summary), ""])


def _row(name: str, values: list[float | None]) -> str:
    return f"{name:34s}" + "".join(f"{value:12.4f}" if value is not None else f"{'-':>12s}" for value in values)


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
