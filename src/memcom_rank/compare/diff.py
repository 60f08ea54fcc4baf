"""Compare room (floor 4): two run folders -> a table of their metrics, the difference and what it is worth."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from memcom_rank.compare.bootstrap import RESAMPLES, Floats
from memcom_rank.compare.paired import Difference, paired_bootstrap
from memcom_rank.contract.errors import CheckpointError, ConfigError, DatasetError

SUMMARY_FILE, USERS_FILE = "summary.json", "users_test.parquet"  # written by the callbacks, which load torch
_TESTED = "the folder of a finished `train.py fit` or `train.py test`"


class Run(NamedTuple):
    """A tested run.

    Attributes:
        folder: where it is.
        summary: its summary.json.
        users: its users_test.parquet, sorted by user: user, a column per metric, and the slices.
    """

    folder: Path
    summary: dict[str, Any]
    users: pa.Table


def compare_runs(a: Path, b: Path, metric: str | None = None) -> str:
    """Return a table that says, metric by metric, what going from run `a` to run `b` changes.

    Args:
        a: a run folder.
        b: another one, tested on the same dataset.
        metric: show this one alone, e.g. "ndcg@10".

    Raises:
        CheckpointError: a folder holds no tested run, a damaged one, or other users than the other.
        DatasetError: the runs were tested on different datasets.
        ConfigError: the runs do not both have `metric`.
    """
    one, other = read_run(a), read_run(b)
    _check_same(one, other)
    metrics = _chosen(one, other, metric)
    values_a, values_b = (_values(run, metrics) for run in (one, other))
    found = dict(zip(metrics, paired_bootstrap(values_a, values_b), strict=True))
    return _table(one, other, found)


def read_run(folder: Path) -> Run:
    """Read what a test left in a run folder.

    Raises:
        CheckpointError: a file is missing or damaged, or a user has two rows.
    """
    try:
        summary = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
        users = pq.read_table(folder / USERS_FILE).sort_by("user")
        digest = summary["dataset.digest"]
    except FileNotFoundError as error:
        missing = Path(error.filename or folder / USERS_FILE).name
        raise CheckpointError(
            f"no {missing} in '{folder}'",
            wanted=_TESTED,
            fix="test its checkpoint with: python train.py test --config ranknet.yaml --ckpt_path RUN",
        ) from None
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise _damaged(folder, f"cannot be read: {error}") from error
    if not isinstance(digest, str) or not users.num_rows or len(pc.unique(users["user"])) != users.num_rows:
        raise _damaged(folder, f"holds no users, users with two rows, or no digest: {users.num_rows:,} rows")
    return Run(folder, summary, users)


def _check_same(one: Run, other: Run) -> None:
    digests = [run.summary["dataset.digest"] for run in (one, other)]
    if digests[0] != digests[1]:
        raise DatasetError(
            "the runs were tested on different datasets:\n"
            + "\n".join(f"  {run.folder}: {run.summary['dataset.digest']}" for run in (one, other)),
            wanted="one dataset: the same digest",
            fix="train both on the same one: a run can be tested on its own alone",
        )
    if not one.users["user"].equals(other.users["user"]):
        raise CheckpointError(
            f"the runs were tested on different users: {one.users.num_rows:,} and {other.users.num_rows:,}",
            wanted="the same users in both",
            fix="test both without --trainer.limit_test_batches",
        )


def _chosen(one: Run, other: Run, metric: str | None) -> list[str]:
    both = [name for name in _metrics(one) if name in _metrics(other)]
    if metric is None:
        return both
    if metric not in both:
        raise ConfigError(f"--metric {metric}", wanted=f"one that both runs have: {', '.join(both)}", fix="choose one")
    return [metric]


def _metrics(run: Run) -> list[str]:
    """Return the columns of fractions; the others say who a user is and in which slices."""
    return [column.name for column in run.users.schema if pa.types.is_floating(column.type)]


def _values(run: Run, metrics: list[str]) -> Floats:
    """[users, metrics], all of them finite."""
    values = np.column_stack([run.users[name].to_numpy().astype(np.float64) for name in metrics])
    odd = ~np.isfinite(values)
    if odd.any():
        worst = metrics[int(odd.any(0).argmax())]
        raise _damaged(run.folder, f"holds no finite {worst} for {int(odd.any(1).sum()):,} users")
    return values


def _damaged(folder: Path, what: str) -> CheckpointError:
    return CheckpointError(f"the test of '{folder}' {what}", wanted=_TESTED, fix="test its checkpoint again")


def _table(one: Run, other: Run, found: dict[str, Difference]) -> str:
    head = f"{'metric':<16}{'A':>9}{'B':>9}{'B - A':>10}   {'95% interval':<21}B is"
    lines = [
        f"{name:<16}{d.mean_a:>9.4f}{d.mean_b:>9.4f}{d.mean:>+10.4f}   {_interval(d):<21}{d.verdict}"
        for name, d in found.items()
    ]
    return "\n".join(
        [
            _named("A", one),
            _named("B", other),
            f"{one.users.num_rows:,} test users of {one.summary['dataset.digest'][:19]}",
            "",
            head,
            *lines,
            "",
            f"Users are paired and resampled, {RESAMPLES:,} times. The interval holds the choice of users, not the",
            "luck of a training run: before you believe a small difference, repeat both with other seeds.",
        ]
    )


def _interval(difference: Difference) -> str:
    return f"[{difference.low:+.4f}, {difference.high:+.4f}]"


def _named(letter: str, run: Run) -> str:
    technique, ratio, seed = (run.summary.get(key) for key in ("embedding.technique", "embedding.ratio", "seed"))
    technique = run.summary.get("baseline", technique)  # a baseline has no embedding
    size = f", {ratio:.1f}x smaller" if isinstance(ratio, float) else ""
    return f"{letter}  {run.folder}: {technique}{size}, seed {seed}"
