"""Compare room (floor 4): how a comparison gets on, for people.

A line for every cell that ended, whatever it is printed to; on a terminal a last line that is kept up to date.
"""

import re
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from memcom_rank.compare.cells import TWIN, Cell, ratio_words
from memcom_rank.compare.results import grouped
from memcom_rank.compare.schedule import Job
from memcom_rank.compare.shelf import FINISHED, NOT_RUN, Result

_EPOCH = re.compile(r"^epoch +(\d+)/(\d+)", re.MULTILINE)
_BAR = 20  # characters
_TAIL = 2_000  # bytes of a log in which its last epoch stands
_ERASE = "\r\x1b[K"


class Display:
    """Prints the progress of a comparison.

    Args:
        cells: all of them.
        read: what is known of a cell.
        metric: the headline.
        slots: how many cells run at once.
        stream: where it is printed.
        made: called after every cell that ended, with all results: what is made of them.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        read: Callable[[Cell], Result],
        metric: str,
        slots: int,
        stream: TextIO,
        made: Callable[[Sequence[Result]], None],
    ) -> None:
        self._read, self._metric, self._slots, self._stream, self._made = read, metric, slots, stream, made
        self._results = {cell.name: read(cell) for cell in cells}
        self._running: list[tuple[Cell, float]] = []
        self._terminal = stream.isatty()

    @property
    def results(self) -> list[Result]:
        """What is known of all cells."""
        return list(self._results.values())

    def ended(self, cell: Cell) -> None:
        """Print what came of a cell."""
        result = self._results[cell.name] = self._read(cell)
        done = sum(one.status != NOT_RUN for one in self.results)
        self._running = [(running, seconds) for running, seconds in self._running if running is not cell]
        width = max(len(one.cell.title) for one in self.results)
        number = f"[{done:{len(str(len(self._results)))}d}/{len(self._results)}]"
        left = self.left_words()
        self._print(f"{number} {cell.title:<{width}}  {self._came(result)}{f'  {left}' if left else ''}")
        self._made(self.results)

    def tick(self, jobs: Sequence[Job], waiting: Sequence[Cell]) -> None:
        """Renew the last line."""
        self._running = [(job.cell, time.monotonic() - job.began) for job in jobs]
        if self._terminal and jobs:
            done = sum(result.status != NOT_RUN for result in self.results)
            total = len(self._results)
            bar = "#" * (_BAR * done // total)
            parts = [f"[{bar:.<{_BAR}}] {done} done, {len(jobs)} running, {len(waiting)} left"]
            parts += filter(None, [self.left_words(), self.best_words()])
            parts += [f"{job.cell.title}{_epoch(job.log)}" for job in jobs]
            width = shutil.get_terminal_size().columns - 1
            print(f"{_ERASE}{' | '.join(parts)[:width]}", end="", file=self._stream, flush=True)

    def close(self) -> None:
        """Take the last line away."""
        if self._terminal:
            print(_ERASE, end="", file=self._stream, flush=True)

    def left_words(self) -> str:
        """Return "about 9 min left", judged by the cells that are finished; nothing before one is."""
        known = [result.seconds for result in self.results if result.status == FINISHED]
        open_cells = sum(result.status == NOT_RUN for result in self.results)
        if not known or not open_cells:
            return ""
        each = statistics.fmean(known)
        waiting = open_cells - len(self._running)
        seconds = (waiting * each + sum(max(0.0, each - spent) for _, spent in self._running)) / self._slots
        return f"about {_duration(seconds)} left"

    def best_words(self) -> str:
        """Return "best memcom 16x 0.4377, ...": of each ratio the technique of highest mean; heads apart."""
        best: dict[tuple[str, float], tuple[float, str]] = {}
        groups = grouped(self.results, self._metric)
        several = len({group.head for group in groups}) > 1
        for group in groups:
            if group.finished and group.technique != TWIN and group.target_ratio is not None:
                name = f"{f'{group.head} ' if several else ''}{group.technique} {ratio_words(group.target_ratio)}"
                place = (group.head, group.target_ratio)
                best[place] = max(best.get(place, (-1.0, "")), (statistics.fmean(group.values), name))
        return f"best {', '.join(f'{name} {value:.4f}' for value, name in best.values())}" if best else ""

    def _came(self, result: Result) -> str:
        if result.status != FINISHED:
            return f"{result.status}: {result.reason}"
        value = result.summary.get(f"test.{self._metric}")
        shown = f"{self._metric} {value:.4f}" if value is not None else ""
        return f"{shown}  {result.summary['epochs']:3d} epochs  {_duration(result.seconds):>7}"

    def _print(self, line: str) -> None:
        print(f"{_ERASE if self._terminal else ''}{line}", file=self._stream, flush=True)


def summary_words(results: Sequence[Result]) -> str:
    """Return "12 of 19 cells finished, 2 infeasible, 1 failed"."""
    counts = Counter(result.status for result in results)
    finished = f"{counts.pop(FINISHED, 0)} of {len(results)} cells finished"
    return ", ".join([finished, *(f"{number} {status}" for status, number in counts.items())])


def _epoch(log: Path) -> str:
    """Return ", epoch 12/40" of a log."""
    try:
        text = log.read_bytes()[-_TAIL:].decode(errors="replace")
    except OSError:
        return ""
    found = _EPOCH.findall(text)
    return f", epoch {found[-1][0]}/{found[-1][1]}" if found else ""


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
