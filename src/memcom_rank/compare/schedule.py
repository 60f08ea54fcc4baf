"""Compare room (floor 4): cells -> processes of train.py, several at once, each closed as it ends.

One thread: it looks at its processes some times a second. What stops it stops them.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from memcom_rank.compare.cells import Cell
from memcom_rank.compare.shelf import FAILED, FINISHED, INFEASIBLE, LOG_FILE, Shelf, has_summary

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 20  # of a process that was asked to end
_ERROR = re.compile(
    r"^(?:\w+\.)*(?P<kind>\w+Error): (?P<seen>.+)(?:\n  wanted: (?P<wanted>.+)\n  to do:  (?P<fix>.+))?", re.MULTILINE
)
_START = "--- "  # begins the line that a start adds to a log
_OTHER_DATA = "the dataset was replaced while the comparison ran"
_TAIL = 20_000  # bytes of a log in which an error is looked for


class Process(Protocol):
    """What is needed of a subprocess.Popen."""

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""

    def ask(self) -> None:
        """Ask it to end."""

    def stop(self) -> None:
        """Return when it has ended as it was asked to; end it where that takes long."""

    def kill(self) -> None:
        """End it, and those that it started, at once."""


class Job(NamedTuple):
    """A cell that is being run."""

    cell: Cell
    process: Process
    slot: int
    began: float
    resumed: bool
    log: Path


Launch = Callable[[Sequence[str], Path, str, int], Process]  # words, folder, title, slot -> a process


class Watch(Protocol):
    """Whoever is told how it goes."""

    def ended(self, cell: Cell) -> None:
        """A cell was closed."""

    def tick(self, jobs: Sequence[Job], waiting: Sequence[Cell]) -> None:
        """Time goes by."""


def run_cells(cells: Sequence[Cell], shelf: Shelf, launch: Launch, slots: int, watch: Watch) -> None:
    """Run cells, `slots` at once, in their order; whatever comes of one, the others are run.

    Args:
        cells: those to run.
        shelf: where they end up.
        launch: starts train.py in a folder.
        slots: how many at once.
        watch: told of every end, and in between.
    """
    waiting, free, jobs = deque(cells), list(range(slots)), list[Job]()
    try:
        while waiting or jobs:
            while waiting and free:
                cell = waiting.popleft()
                if shelf.adopt(cell):
                    watch.ended(cell)
                else:
                    jobs.append(_start(cell, shelf, launch, free.pop(0)))
            for job in [job for job in jobs if job.process.poll() is not None]:
                jobs.remove(job)
                free.append(job.slot)
                if _end(job, shelf):
                    watch.ended(job.cell)
                else:
                    waiting.appendleft(job.cell)
            watch.tick(jobs, waiting)
            time.sleep(POLL_SECONDS if jobs else 0)
    finally:
        _stop(jobs, shelf)


def _start(cell: Cell, shelf: Shelf, launch: Launch, slot: int) -> Job:
    checkpoint = shelf.start(cell)
    words = [*cell.words, *(("--ckpt_path", str(checkpoint.resolve())) if checkpoint else ())]
    place = shelf.unfinished(cell)
    process = launch(words, place, cell.title, slot)
    return Job(cell, process, slot, time.monotonic(), checkpoint is not None, place / LOG_FILE)


def _stop(jobs: Sequence[Job], shelf: Shelf) -> None:
    """Ask all to end, then wait for each; whatever happens meanwhile, another Ctrl-C too, none is left running."""
    try:
        for job in jobs:
            job.process.ask()
        for job in jobs:
            job.process.stop()
            shelf.stopped(job.cell, time.monotonic() - job.began)
    except BaseException:
        for job in jobs:
            job.process.kill()
        raise


def _end(job: Job, shelf: Shelf) -> bool:
    """Close the job's cell; False where it has to be run from its beginning, its checkpoint being of no use."""
    code, seconds = job.process.poll(), time.monotonic() - job.began
    if code == 0 and has_summary(shelf.unfinished(job.cell)):
        if shelf.as_asked(job.cell):
            shelf.close(job.cell, FINISHED, seconds=seconds)
        else:
            shelf.close(job.cell, FAILED, reason=_OTHER_DATA, seconds=seconds)
        return True
    kind, reason = _error(job.log, code)
    if job.resumed and kind == "CheckpointError":  # damaged
        shelf.clear(job.cell)
        return False
    shelf.close(job.cell, INFEASIBLE if kind == "BudgetError" else FAILED, reason=reason, seconds=seconds)
    return True


def _error(log: Path, code: int | None) -> tuple[str, str]:
    """Return the kind of the last error since the last start, and what it says, in one line."""
    text = log.read_bytes()[-_TAIL:].decode(errors="replace") if log.exists() else ""
    text = text.rpartition(f"\n{_START}")[2]
    if found := list(_ERROR.finditer(text)):
        last = found[-1]
        wanted = f" (wanted: {last['wanted']}; to do: {last['fix']})" if last["wanted"] else ""
        seen = last["seen"] if last["kind"] == "BudgetError" else f"{last['kind']}: {last['seen']}"
        return last["kind"], f"{seen}{wanted}"
    if code == 128 + signal.SIGTERM:
        return "", "stopped before its end; the same command goes on with it"
    return "", f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}, see its {LOG_FILE}"


class Program:
    """A process of a program, in a process group of its own: Ctrl-C reaches whoever started it, and not it.

    Args:
        words: the program and its arguments.
        folder: it works in this one, and what it prints is added to `LOG_FILE` there.
        environment: of the process.
        inherited: files that it holds open.
    """

    def __init__(
        self, words: Sequence[str], folder: Path, environment: dict[str, str], inherited: Sequence[int] = ()
    ) -> None:
        options: dict[str, Any] = {} if sys.platform == "win32" else {"pass_fds": inherited, "start_new_session": True}
        with (folder / LOG_FILE).open("ab") as log:
            log.write(f"{_START}{' '.join(words)}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                words,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **options,
            )

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.poll()

    def ask(self) -> None:
        """Ask the process and those that it started to end."""
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """Wait until it has ended; where that takes long, end it without grace."""
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def kill(self) -> None:
        """End the process and those that it started, without grace."""
        self._signal(None)

    def _signal(self, asked: signal.Signals | None) -> None:
        """Send a signal to the group; None kills."""
        if sys.platform == "win32":
            self._process.kill()
            return
        try:
            os.killpg(self._process.pid, asked or signal.SIGKILL)
        except ProcessLookupError:
            return  # it has ended by itself
