"""Compare room (floor 4): the cells on disk -> results.parquet, and techniques x ratios with what they lose.

Columns are named as in summary.json. What a technique loses is paired user by user with the uncompressed twin of the
same head and seed; users are resampled with their values of all seeds.
"""

import dataclasses
import functools
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from memcom_rank.compare.cells import TWIN, Comparison
from memcom_rank.compare.diff import read_run
from memcom_rank.compare.paired import Difference, paired_bootstrap
from memcom_rank.compare.shelf import FINISHED, Result
from memcom_rank.contract.errors import CheckpointError, ConfigError
from memcom_rank.contract.files import new_file

RESULTS_FILE = "results.parquet"
BEST_POSSIBLE = "best possible (Bayes)"
_SIZES = {"embedding.bytes": pa.int64(), "embedding.ratio": pa.float64(), "model.bytes": pa.int64()}


@dataclasses.dataclass(frozen=True)
class Group:
    """One technique at one ratio under one head: its cells, one a seed.

    Attributes:
        results: of all seeds, whatever became of them.
        metric: the headline.
        change: what going from the twin to it changes in the headline, over the seeds that both have finished; None
            where there is none, and of the twin itself.
    """

    results: Sequence[Result]
    metric: str
    change: Difference | None

    @property
    def head(self) -> str:
        """Name of the recipe."""
        return self.results[0].cell.head

    @property
    def technique(self) -> str:
        """Name of the overlay."""
        return self.results[0].cell.technique

    @property
    def target_ratio(self) -> float | None:
        """What was asked for."""
        return self.results[0].cell.target_ratio

    @property
    def finished(self) -> list[Result]:
        """Results of the seeds that are finished."""
        return [result for result in self.results if result.status == FINISHED]

    @property
    def values(self) -> list[float]:
        """The headline on test, of the finished seeds."""
        return [float(result.summary[f"test.{self.metric}"]) for result in self.finished]

    @property
    def status(self) -> str:
        """`FINISHED` where a seed is; else what became of the first."""
        return FINISHED if self.finished else self.results[0].status

    def mean(self, key: str) -> float:
        """Mean of a figure of summary.json over the finished seeds."""
        return statistics.fmean(float(result.summary[key]) for result in self.finished)


def grouped(results: Sequence[Result], metric: str) -> list[Group]:
    """Gather the seeds of each technique and ratio, in the order of the cells.

    Raises:
        ConfigError: the runs do not have the metric.
        CheckpointError: a run is damaged, or was tested on other users than its twin.
    """
    for result in results:
        if result.status == FINISHED and f"test.{metric}" not in result.summary:
            known = [key.removeprefix("test.") for key in _metrics(result.summary)]
            raise ConfigError(f"metric {metric}", wanted=f"one that runs have: {', '.join(known)}", fix="choose one")
    found: dict[tuple[str, str, float | None], list[Result]] = {}
    for result in results:
        found.setdefault((result.cell.head, result.cell.technique, result.cell.target_ratio), []).append(result)
    return [
        Group(rows, metric, None if technique == TWIN else _change(rows, found[head, TWIN, None], metric))
        for (head, technique, _), rows in found.items()
    ]


def references(results: Sequence[Result], head: str, metric: str) -> dict[str, float]:
    """Return what runs know beside themselves: the headline of popularity, EASE, ..., and the best possible."""
    values: dict[str, float] = {}
    for result in results:
        for key, value in result.summary.items() if result.cell.head == head else ():
            parts = key.split(".", 2)
            if parts[0] == "baselines" and parts[2] == metric:
                values[parts[1]] = float(value)
            elif key == f"synthetic.bayes.{metric}":
                values[BEST_POSSIBLE] = float(value)
        if values:
            break  # all runs of a head say the same
    return dict(sorted(values.items(), key=lambda item: item[1]))


def write_results(results: Sequence[Result], comparison: Comparison) -> None:
    """Write results.parquet: a row per cell, null where it has nothing to say.

    Raises:
        WriteError: it cannot be written.
    """
    with new_file(comparison.output / RESULTS_FILE) as path:
        pq.write_table(results_table(results, comparison.output), path)


def results_table(results: Sequence[Result], output: Path) -> pa.Table:
    """Return a row per cell; run folders are relative to `output`."""
    scores = sorted({key for result in results for key in _metrics(result.summary)})
    columns = {
        "head": pa.string(),
        "technique": pa.string(),
        "target_ratio": pa.float64(),
        "seed": pa.int64(),
        "status": pa.string(),
        "reason": pa.string(),
        **_SIZES,
        **dict.fromkeys(scores, pa.float64()),
        "epochs": pa.int64(),
        "seconds": pa.float64(),
        "run": pa.string(),
    }
    rows = [_row(result, columns, output) for result in results]
    return pa.Table.from_pylist(rows, schema=pa.schema(list(columns.items())))


def _row(result: Result, columns: Mapping[str, pa.DataType], output: Path) -> dict[str, Any]:
    cell = result.cell
    return {
        **{key: value for key, value in result.summary.items() if key in columns},
        "head": cell.head,
        "technique": cell.technique,
        "target_ratio": cell.target_ratio,
        "seed": cell.seed,
        "status": result.status,
        "reason": result.reason or None,
        "seconds": result.seconds or None,
        "run": None if result.run is None else result.run.relative_to(output).as_posix(),
    }


def _metrics(summary: Mapping[str, Any]) -> list[str]:
    """Keys of a run's validation score and test metrics; slices and intervals are left to the run."""
    return [
        key
        for key, value in summary.items()
        if isinstance(value, int | float)
        and (key.startswith("best.val.") or (key.startswith("test.") and key.count(".") == 1))
    ]


def _change(rows: Sequence[Result], twins: Sequence[Result], metric: str) -> Difference | None:
    by_seed = {twin.cell.seed: twin.run for twin in twins}
    pairs = [(by_seed[row.cell.seed], row.run) for row in rows]
    runs = tuple((twin, run) for twin, run in pairs if twin is not None and run is not None)
    return _paired(runs, metric) if runs else None


@functools.cache  # cells stay as they are: after each end only what is new is resampled
def _paired(pairs: tuple[tuple[Path, Path], ...], metric: str) -> Difference:
    """Return what going from the first runs of the pairs to the second changes, over users and seeds."""
    sums_N2: Any = 0.0
    first = read_run(pairs[0][0]).users["user"]
    for pair in pairs:
        users = [read_run(run).users for run in pair]
        if not all(table["user"].equals(first) for table in users):
            raise CheckpointError(
                f"'{pair[0]}' and '{pair[1]}' were not tested on the users of '{pairs[0][0]}'",
                wanted="the same users in all runs",
                fix="leave out flags that test a part, or delete the cells to run them anew",
            )
        sums_N2 = sums_N2 + np.column_stack([table[metric].to_numpy().astype(np.float64) for table in users])
    counts_N = np.full(len(first), len(pairs), dtype=np.int64)
    (difference,) = paired_bootstrap(sums_N2[:, :1], sums_N2[:, 1:], counts_N=counts_N)
    return difference
