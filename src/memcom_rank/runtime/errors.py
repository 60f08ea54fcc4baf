"""Runtime (apart): its named errors, in the manner of the rest of the package, of which it imports nothing.

Each says what was seen, what was wanted and what to do; the command line prints it without a traceback.
"""


class RankerError(Exception):
    """Base of all errors of the runtime.

    Args:
        seen: what was found, with the offending value or path.
        wanted: what would have been right.
        fix: what the user can do now.
    """

    def __init__(self, seen: str, *, wanted: str, fix: str) -> None:
        super().__init__(seen, wanted, fix)
        self.seen, self.wanted, self.fix = seen, wanted, fix

    def __str__(self) -> str:
        return f"{self.seen}\n  wanted: {self.wanted}\n  to do:  {self.fix}"

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling (worker processes): the keyword-only arguments travel by state."""
        return _rebuild, (type(self), self.seen, self.wanted, self.fix)


def _rebuild(kind: type[RankerError], seen: str, wanted: str, fix: str) -> RankerError:
    return kind(seen, wanted=wanted, fix=fix)


class BundleError(RankerError):
    """A bundle is missing, damaged, hostile, of another version or runtime, or cannot be written."""


class HistoryError(RankerError):
    """What was asked cannot be ranked: an unknown game, or more games than the bundle returns."""


def damaged(seen: str, wanted: str) -> BundleError:
    """Return the error of a bundle that is not as it was written."""
    return BundleError(seen, wanted=wanted, fix="copy the whole bundle again from its source, or export it anew")
