"""Progress: one line a step to stderr, with rows and seconds; the rows are kept for the manifest."""

import sys
import time


class Progress:
    """Counts and times the steps of a build. Single process, so every line is printed once.

    Attributes:
        steps: count after each step, in order.
    """

    def __init__(self) -> None:
        self.steps: dict[str, int] = {}
        self._last = time.perf_counter()

    def done(self, step: str, count: int, unit: str = "rows") -> None:
        """Report that `step` has just ended with `count` of `unit`."""
        now = time.perf_counter()
        self.steps[step] = count
        print(f"{step:<13}{count:>13,} {unit:<7}{now - self._last:>7.2f} s", file=sys.stderr, flush=True)
        self._last = now
