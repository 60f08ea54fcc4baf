"""Callbacks room (floor 4): where a run keeps what it writes."""

import datetime
from pathlib import Path


def new_run_folder(runs: Path, command: str) -> Path:
    """Make and return `runs/YYYYMMDD-HHMMSS-COMMAND` (UTC), numbered where that exists; never an old folder."""
    name = f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{command}"
    number = 1
    while True:
        folder = runs / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder
