"""Export room (floor 4): what was exported, as text. Takes the fields of a manifest -> gives a report."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from memcom_rank.export.agreement import TOP, Agreement
from memcom_rank.export.limits import LIMITS, Limits
from memcom_rank.export.speed import Speed


class Exported(NamedTuple):
    """What a report is made of.

    Attributes:
        folder: of the bundle.
        fields: of its manifest.
        agreement: with the checkpoint; None where the format does not run here.
        speed: on this machine, or None as well.
        before: metrics of the checkpoint; those of the bundle are in its manifest. None where there is no dataset.
        embedding_bytes: of the checkpoint's embedding at rest.
        disk_bytes: of all files of the bundle; the manifest tells those of all but itself.
    """

    folder: Path
    fields: Mapping[str, Any]
    agreement: Agreement | None
    speed: Speed | None
    before: Mapping[str, float] | None
    embedding_bytes: int
    disk_bytes: int


def report(found: Exported) -> str:
    """Return the report."""
    fields, limits = found.fields, LIMITS[found.fields["bits"]]
    listed = fields["bytes"]
    manifest = found.disk_bytes - listed["total"]
    sizes = {**{name: size for name, size in listed.items() if name != "total"}, "manifest": manifest}
    sizes["total"] = found.disk_bytes
    table, model = fields["full_table_bytes"], fields["full_model_bytes"]
    head = f"{'bytes on disk':34s}{'bytes':>14s}{'full table':>12s}{'full model':>12s}"
    line = "-" * len(head)
    parts = [
        f"{name:34s}{size:14,d}{table / max(size, 1):11.1f}x{model / max(size, 1):11.1f}x"
        for name, size in sizes.items()
    ]
    technique = (
        f"{fields['technique']} of width {fields['dim']}, {fields['head']}, fp32 numbers in {fields['bits']} bits"
    )
    return "\n".join(
        [
            "",
            line,
            f"{technique}: its embedding takes {found.embedding_bytes:,} bytes in the checkpoint",
            line,
            head,
            *parts,
            line,
            f"{'test, in the runtime of ' + fields['runtime']:34s}{'bundle':>14s}{'checkpoint':>12s}",
            *_metrics(found),
            line,
            f"{'against the checkpoint':34s}",
            *_same(found.agreement, limits),
            line,
            f"{'one thread of this machine':34s}",
            *_costs(found.speed),
            line,
            f"bundle      {found.folder}",
            f"next        {_next(found)}",
            "",
        ]
    )


def _metrics(found: Exported) -> list[str]:
    measured = found.fields["metrics"]
    if found.agreement is None and found.before is not None:
        return [f"{name:34s}{'not measured':>14s}{value:12.4f}" for name, value in found.before.items()]
    if found.before is None or isinstance(measured, str):
        return [f"{'ndcg@10':34s}{'not measured':>14s}{'not measured':>14s}   no dataset; pass --data.path"]
    return [f"{name:34s}{value:14.4f}{found.before[name]:12.4f}" for name, value in measured.items()]


def _same(agreement: Agreement | None, limits: Limits) -> list[str]:
    if agreement is None:
        return [f"{'scores and ranking':34s}{'not measured':>14s}   the format does not run on this system"]
    return [
        f"{'largest score difference':34s}{agreement.score:14.2e}   "
        f"{agreement.score_share:.3%} of the spread of scores, limit {limits.score:.2%}",
        f"{f'top-{TOP} overlap':34s}{agreement.overlap:14.2%}   limit {limits.overlap:.1%}; {agreement.users:,} users",
    ]


def _costs(speed: Speed | None) -> list[str]:
    if speed is None:
        return [f"{'times and memory':34s}{'not measured':>14s}"]
    return [
        f"{'one user, whole catalogue, p50':34s}{speed.p50 * 1e3:11.2f} ms",
        f"{'  p95':34s}{speed.p95 * 1e3:11.2f} ms",
        f"{'cold start':34s}{speed.cold_start * 1e3:11.2f} ms",
        f"{'peak memory above the runtime':34s}"
        + (f"{speed.peak_bytes:14,d} bytes" if speed.peak_bytes is not None else f"{'not measured':>14s}"),
    ]


def _next(found: Exported) -> str:
    if found.fields["runtime"] == "onnx":
        return f'python -m memcom_rank rank {shlex.quote(str(found.folder))} --history "A GAME"'
    return f"read {found.folder / 'README.md'}"
