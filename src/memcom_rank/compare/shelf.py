"""Compare room (floor 4): the folder of cells. A cell's name appears in it when the cell is whole.

    cells/ranknet-memcom-16x-seed-1/             finished, or found infeasible: renamed into place
    cells/ranknet-memcom-16x-seed-1.unfinished/  being run, killed or failed; train.py runs in it
        cell.json                                settings, status, reason, seconds
        log.txt                                  what train.py printed
        runs/20260131-120000-fit/                its run folder

A killed cell goes on from its last checkpoint.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from memcom_rank.compare.cells import Cell
from memcom_rank.compare.diff import SUMMARY_FILE
from memcom_rank.contract.errors import CheckpointError, ConfigError
from memcom_rank.contract.files import new_file

CELL_FILE, LOG_FILE = "cell.json", "log.txt"
FINISHED, INFEASIBLE, FAILED, NOT_RUN = "finished", "infeasible", "failed", "not run"
_STARTED = "started"  # in cell.json of a cell that is being run, or was killed
_CACHE = ".baselines"  # in runs/; measured once for all cells
_SHOWN = 3  # differences that an error names


class Result(NamedTuple):
    """What is known of a cell.

    Attributes:
        cell: which.
        status: `FINISHED`, `INFEASIBLE`, `FAILED` or `NOT_RUN`.
        reason: of a cell that is infeasible or failed.
        seconds: that it took, over all its starts.
        run: run folder of a finished cell.
        summary: its summary.json.
    """

    cell: Cell
    status: str
    reason: str
    seconds: float
    run: Path | None
    summary: dict[str, Any]


class Shelf:
    """The cells on disk.

    Args:
        output: folder of the comparison.
    """

    def __init__(self, output: Path) -> None:
        self.folder = output / "cells"
        self._cache = output / _CACHE

    def check(self, cells: Sequence[Cell]) -> None:
        """Refuse cells that were made with other settings.

        Raises:
            ConfigError: there is one; its settings and those wanted now are named.
        """
        for cell in cells:
            place = self.folder / cell.name
            if place.exists() and (found := _differences(self._settings(place), cell.settings)):
                raise ConfigError(
                    f"'{place}' was made with other settings:\n" + "\n".join(found[:_SHOWN]),
                    wanted="one comparison, one set of settings",
                    fix=f"give another --output, put the settings back, or delete '{self.folder}' to run all anew",
                )

    def read(self, cell: Cell) -> Result:
        """Return what is known of a cell.

        Raises:
            CheckpointError: it is damaged.
        """
        place = self.folder / cell.name
        if place.exists():
            known = self._known(place)
            run = next(iter((place / "runs").glob("*-fit*")), None) if known["status"] == FINISHED else None
            summary = {} if run is None else _read(run / SUMMARY_FILE)
            return Result(cell, known["status"], known["reason"], known["seconds"], run, summary)
        unfinished = self.unfinished(cell)
        known = self._known(unfinished) if (unfinished / CELL_FILE).exists() else {}
        failed = known.get("status") == FAILED and not _differences(known["settings"], cell.settings)
        return Result(cell, FAILED, known["reason"], known["seconds"], None, {}) if failed else _not_run(cell)

    def unfinished(self, cell: Cell) -> Path:
        """Return where a cell is run."""
        return self.folder / f"{cell.name}.unfinished"

    def adopt(self, cell: Cell) -> bool:
        """Close a cell that came to its end when nobody was there any more to see it; say whether it did."""
        place = self.unfinished(cell)
        whole = (place / CELL_FILE).exists() and has_summary(place)
        if not whole or self._known(place)["status"] != _STARTED or _differences(self._settings(place), cell.settings):
            return False
        run = next((place / "runs").glob(f"*-fit*/{SUMMARY_FILE}"))
        self.close(cell, FINISHED, seconds=float(_read(run).get("wall_seconds", 0.0)))
        return True

    def as_asked(self, cell: Cell) -> bool:
        """Say whether an unfinished cell's run was trained on the dataset it was to be; one may be put in its place."""
        return not _differences(self._settings(self.unfinished(cell)), cell.settings)

    def start(self, cell: Cell) -> Path | None:
        """Make a cell ready to be run; return the checkpoint that it can go on from, if any."""
        place = self.unfinished(cell)
        known = self._known(place) if (place / CELL_FILE).exists() else None
        checkpoint = _newest_checkpoint(place)
        if known is None or checkpoint is None or _differences(known["settings"], cell.settings):
            self.clear(cell)
            known, checkpoint = None, None
        place.mkdir(parents=True, exist_ok=True)
        if self._cache.exists():
            shutil.copytree(self._cache, place / "runs" / _CACHE, dirs_exist_ok=True)
        self.note(cell, _STARTED, seconds=known["seconds"] if known else 0.0)
        return checkpoint

    def clear(self, cell: Cell) -> None:
        """Forget what an unfinished cell has done."""
        if (place := self.unfinished(cell)).exists():
            shutil.rmtree(place)

    def note(self, cell: Cell, status: str = _STARTED, *, reason: str = "", seconds: float) -> None:
        """Write down how far an unfinished cell is."""
        noted = {"settings": cell.settings, "status": status, "reason": reason, "seconds": round(seconds, 1)}
        with new_file(self.unfinished(cell) / CELL_FILE) as path:
            path.write_text(json.dumps(noted, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def close(self, cell: Cell, status: str, *, reason: str = "", seconds: float) -> None:
        """Note how a cell ended and, unless it failed, put it in its place.

        Args:
            cell: an unfinished one.
            status: `FINISHED`, `INFEASIBLE` or `FAILED`.
            reason: why, where it is not finished.
            seconds: since it was started now; those of earlier starts are added.
        """
        place = self.unfinished(cell)
        before = self._known(place)["seconds"]
        if status == FINISHED:
            cached = place / "runs" / _CACHE
            if cached.exists():
                shutil.copytree(cached, self._cache, dirs_exist_ok=True)
                shutil.rmtree(cached)
            for run in (place / "runs").glob("*-fit*"):  # earlier starts: the last one has copied what it needs
                if not (run / SUMMARY_FILE).exists():
                    shutil.rmtree(run)
        self.note(cell, status, reason=reason, seconds=before + seconds)
        if status != FAILED:
            place.rename(self.folder / cell.name)

    def stopped(self, cell: Cell, seconds: float) -> None:
        """Note the time that went into a cell that is stopped, to go on later."""
        self.note(cell, seconds=self._known(self.unfinished(cell))["seconds"] + seconds)

    def _settings(self, place: Path) -> dict[str, Any]:
        """Return what a cell was made with: what was asked for, and the dataset that its run found."""
        settings = dict(self._known(place)["settings"])
        for run in (place / "runs").glob(f"*-fit*/{SUMMARY_FILE}"):
            settings["dataset"] = _read(run).get("dataset.digest", settings.get("dataset"))
        return settings

    def _known(self, place: Path) -> dict[str, Any]:
        known = _read(place / CELL_FILE)
        if not {"settings", "status", "reason", "seconds"} <= set(known):
            raise _damaged(place / CELL_FILE, "keys are missing")
        return known


def has_summary(place: Path) -> bool:
    """Say whether a run in a cell's folder came to its end."""
    return any((place / "runs").glob(f"*-fit*/{SUMMARY_FILE}"))


def _not_run(cell: Cell) -> Result:
    return Result(cell, NOT_RUN, "", 0.0, None, {})


def _newest_checkpoint(place: Path) -> Path | None:
    found = sorted(place.glob("runs/*-fit*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime_ns)
    return found[-1] if found else None


def _differences(was: Any, wanted: Any, path: str = "") -> list[str]:
    """One line for every leaf of `wanted` that differs, or that only one of the two has."""
    if isinstance(was, dict) and isinstance(wanted, dict):
        keys = wanted if not path else {**was, **wanted}  # at the top, a dataset that is not there is not compared
        missing = "nothing"
        pairs = [(was.get(key, missing), wanted.get(key, missing), f"{path}.{key}".lstrip(".")) for key in keys]
        return [line for one, other, name in pairs for line in _differences(one, other, name)]
    return [] if was == wanted else [f"  {path}: {json.dumps(was)} there, {json.dumps(wanted)} now"]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(found, dict):
        raise _damaged(path, "no JSON object")
    return found


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"'{path}' cannot be read: {what}",
        wanted="a cell as `compare` leaves it",
        fix="delete the folder of this cell; it is then run again",
    )
