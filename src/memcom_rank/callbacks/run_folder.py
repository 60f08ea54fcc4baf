"""Callbacks room (floor 4): where a run keeps what it writes."""

import datetime
import shutil
from pathlib import Path

from memcom_rank.contract.errors import WriteError

_LAUNCH_FILES = {"config.yaml", "wandb"}  # written before a run has found out anything


def new_run_folder(runs: Path, command: str) -> Path:
    """Make and return `runs/YYYYMMDD-HHMMSS-COMMAND` (UTC), numbered where that exists; never an old folder.

    Raises:
        WriteError: the place cannot be written.
    """
    name = f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{command}"
    number = 1
    while True:
        folder = runs / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise WriteError(
                f"cannot make the run's folder '{folder}': {error.strerror}",
                wanted=f"a folder '{runs}' that can be written",
                fix="free some space, or start from a folder of your own",
            ) from error
        else:
            return folder


def discard_run(folder: Path) -> None:
    """Remove the folder of a run that failed before it had anything to keep: metrics, checkpoints, predictions."""
    if {path.name for path in folder.iterdir()} <= _LAUNCH_FILES:
        shutil.rmtree(folder)
