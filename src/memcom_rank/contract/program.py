"""Contract room (floor 0): how a program of ours ends when it is asked to, or when nobody reads it any more."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType


def ended(work: Callable[[], int]) -> int:
    """Do `work` and return its exit code; cleaned up after also where SIGTERM, Ctrl-C or a closed pipe ends it.

    SIGTERM raises SystemExit(143), which is what a shell makes of a process that it ended.
    """
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _leave)
    try:
        return work()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1
    except BrokenPipeError:
        drop_output()
        return 1
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def drop_output() -> None:
    """Let what is still to be printed go nowhere: whoever read it has gone, as `| head` does."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
