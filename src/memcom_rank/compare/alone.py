"""Compare room (floor 4): one comparison at a time in a folder, by a lock that ends with the processes that hold it."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from memcom_rank.contract.errors import ConfigError


@contextlib.contextmanager
def alone(output: Path) -> Iterator[tuple[int, ...]]:
    """Keep other comparisons out of a folder, and wait for no one: what a killed one has left running counts too.

    Yields the files that the processes of this comparison inherit, so that they hold the folder as long as they live.
    On Windows nothing is locked.

    Raises:
        ConfigError: somebody works there.
    """
    output.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield ()
        return
    import fcntl

    with (output / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"another comparison, or a run that a killed one left behind, works in '{output}'",
                wanted="one at a time",
                fix="wait for it, end it, or give another --output",
            ) from None
        yield (lock.fileno(),)
