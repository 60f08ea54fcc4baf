"""Command line (floor 5): `python -m memcom_rank baselines`, every baseline tuned on validation and tested once.

Takes a dataset folder -> gives a table, and per baseline a folder that `python -m memcom_rank diff` compares with runs.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import torch

from memcom_rank.baselines import CONTENDERS, Popularity, Trial, popular_when_cold, search, trainers
from memcom_rank.callbacks.baseline_metrics import Score, Values, measure
from memcom_rank.callbacks.intervals import user_figures
from memcom_rank.callbacks.report import SUMMARY_FILE
from memcom_rank.callbacks.run_folder import discard_run, new_run_folder
from memcom_rank.callbacks.user_metrics import USER_METRICS_FILE, user_table
from memcom_rank.contract.errors import ConfigError, DatasetError
from memcom_rank.contract.files import new_folder
from memcom_rank.contract.schemas import ROW_GROUP_ROWS, TEST, VALIDATION
from memcom_rank.data import RankingData
from memcom_rank.data.dataset import Queries
from memcom_rank.data.ragged import select
from memcom_rank.metrics import RankingMetrics

KS = (10, 20, None)
TUNING_USERS = 4_000  # enough to tell knobs apart; all of them on most datasets
_COLUMNS = ("ndcg@10", "ndcg@20", "ndcg", "recall@10", "recall@20", "mrr", "coverage@10")


class Row(NamedTuple):
    """A baseline's line of the table: its best trial, its values, and the seconds it took in all."""

    name: str
    trial: Trial
    validation: float
    test: Values
    seconds: float


def measure_baselines(path: str, *, only: Sequence[str], metric: str, seed: int, runs: Path) -> str:
    """Tune, test and write baselines; print progress; return the closing table.

    Args:
        path: a dataset folder.
        only: names of `CONTENDERS`; empty for all that can be had here.
        metric: what knobs are picked by on validation, e.g. "ndcg@10".
        seed: of the baselines that draw.
        runs: the new folder is made in this one.

    Raises:
        DatasetError: the folder is missing, damaged, of labels, or has nobody to evaluate.
        ConfigError: unknown metric; or nothing could be measured, or not what `only` asks for.
        WriteError: the results cannot be written.
    """
    data = RankingData(path)
    tuning = _tuning(data, metric)
    folder = new_run_folder(runs, "baselines")
    rows, skipped = [], dict[str, str]()
    try:
        for name in only or CONTENDERS:
            try:
                rows.append(_row(name, data, tuning, metric, seed, folder))
            except ConfigError as reason:  # too large a catalogue, or a package is missing
                if only:
                    raise
                skipped[name] = reason.seen + f" ({reason.fix})"
                print(f"{name:<12}skipped: {skipped[name]}", flush=True)
    except BaseException:
        discard_run(folder)  # unless a baseline is there already
        raise
    return _table(rows, skipped, metric, folder)


def tuning_users(queries: Queries, most: int) -> Queries:
    """Return a fixed random draw of at most `most` of the users."""
    if len(queries.rows) <= most:
        return queries
    drawn = torch.randperm(len(queries.rows), generator=torch.Generator().manual_seed(0))[:most].sort().values
    return Queries(queries.rows[drawn], *(select(lists, drawn) for lists in queries[1:]))


def _tuning(data: RankingData, metric: str) -> tuple[Queries, list[int | None]]:
    """Return the users to tune on and the cutoff that `metric` asks for."""
    if data.num_labels:
        raise DatasetError(
            f"'{data.path}' is a dataset of labels: it has no games to find",
            wanted="a dataset with held-out games",
            fix="build one without --label; the baselines of labels are in every report of classifier_label.yaml",
        )
    _ = data.val_dataloader(), data.test_dataloader()  # which refuse a split without users
    _, _, k = metric.partition("@")
    ks: list[int | None] = [int(k) if k.isdecimal() and int(k) else None]
    known = RankingMetrics(ks, data.num_ids).ranked
    if metric not in known:
        raise ConfigError(
            f"--metric {metric}", wanted="ndcg@K, graded_ndcg@K, recall@K, ndcg, graded_ndcg or mrr", fix="try ndcg@10"
        )
    return tuning_users(data.dataset.queries(VALIDATION), TUNING_USERS), ks


def _row(
    name: str, data: RankingData, tuning: tuple[Queries, list[int | None]], metric: str, seed: int, folder: Path
) -> Row:
    began = time.perf_counter()
    dataset, (queries, ks) = data.dataset, tuning
    facts = (*dataset.interactions(), dataset.manifest.num_users, dataset.manifest.num_ids)
    popularity = Popularity().fit(*facts)

    def score(fitted: Any) -> Score:
        return popular_when_cold(fitted.score, popularity)

    def report(trial: Trial) -> None:
        print(f"{name:<12}{metric} {trial.value:.4f}  fit {trial.fit_seconds:5.1f} s  {_words(trial)}", flush=True)

    trial = search(
        CONTENDERS[name],
        trainers(facts, seed)[name],
        lambda fitted: measure(score(fitted), data, queries, ks)[0][metric],
        report,
    )
    validation, _ = measure(score(trial.fitted), data, dataset.queries(VALIDATION), list(KS))
    test, users = measure(score(trial.fitted), data, dataset.queries(TEST), list(KS))  # once, with all knobs chosen
    table = user_table(dataset, users).sort_by("row").drop_columns("row")
    seconds = time.perf_counter() - began
    summary: dict[str, Any] = {
        "command": "baselines",
        "baseline": name,
        "seed": seed,
        "tuned.by": metric,
        "tuned.value": trial.value,
        "tuned.users": len(queries.rows),
        **{f"knobs.{knob}": value for knob, value in trial.knobs.items()},
        **{f"val.{key}": value for key, value in validation.items()},
        **{f"test.{key}": value for key, value in test.items()},
        **{f"test.{key}": value for key, value in user_figures(table, "ndcg@10").items()},
        "dataset.path": str(data.path),
        "dataset.digest": dataset.manifest.digest,
        **dataset.manifest.references,
        "run": str(folder / name),
        "fit_seconds": round(trial.fit_seconds, 2),
        "wall_seconds": round(seconds, 2),
    }
    with new_folder(folder / name, overwrite=False) as place:
        pq.write_table(table, place / USER_METRICS_FILE, row_group_size=ROW_GROUP_ROWS)
        (place / SUMMARY_FILE).write_text(json.dumps(summary, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return Row(name, trial, validation["ndcg@10"], test, seconds)


def _words(trial: Trial) -> str:
    return ", ".join(f"{knob} {value:g}" if knob != "weighting" else str(value) for knob, value in trial.knobs.items())


def _table(rows: Sequence[Row], skipped: dict[str, str], metric: str, folder: Path) -> str:
    columns = "".join(f"{column:>12}" for column in _COLUMNS)
    head = f"{'test':<12}{'val ndcg@10':>12}{columns}{'fit s':>8}{'all s':>8}"
    line = "-" * len(head)
    lines = [
        f"{row.name:<12}{row.validation:>12.4f}"
        + "".join(f"{row.test[column]:>12.4f}" for column in _COLUMNS)
        + f"{row.trial.fit_seconds:>8.1f}{row.seconds:>8.1f}"
        for row in rows
    ]
    knobs = [f"{row.name:<12}{_words(row.trial)}" for row in rows if row.trial.knobs]
    return "\n".join(
        [
            "",
            line,
            head,
            line,
            *lines,
            *(f"{name:<12}skipped: {reason}" for name, reason in skipped.items()),
            line,
            f"picked by {metric} on validation:" if knobs else "nothing to pick",
            *knobs,
            "",
            f"run         {folder}",
            *(f"next        python -m memcom_rank diff {folder / row.name} RUN" for row in rows[-1:]),
        ]
    )
