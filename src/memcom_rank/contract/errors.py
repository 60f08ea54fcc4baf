"""Contract room (floor 0): every named error of the project.

Each says what was seen, what was wanted and what to do; the command line prints it without a traceback.
"""


class MemcomRankError(Exception):
    """Base of all errors a user can cause and mend.

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


def _rebuild(kind: type[MemcomRankError], seen: str, wanted: str, fix: str) -> MemcomRankError:
    return kind(seen, wanted=wanted, fix=fix)


class InputError(MemcomRankError):
    """A raw play log cannot be read, or holds values that no log should hold."""


class SplitError(MemcomRankError):
    """The chosen split cannot be made from this log."""


class DatasetError(MemcomRankError):
    """A dataset folder is missing, incomplete, damaged, of another version, or already there."""


class WriteError(MemcomRankError):
    """An output could not be written (disk full, no permission); nothing half-written is left."""


class BudgetError(MemcomRankError):
    """A technique cannot reach the asked ratio or byte budget."""


class ConfigError(MemcomRankError):
    """A configuration value is unknown, misspelt or out of range."""


class CheckpointError(MemcomRankError):
    """A checkpoint or run folder is missing, damaged, or does not fit the dataset."""


class DemoError(MemcomRankError):
    """The demo's page cannot be built or served: npm, the folder, the port, or a bundle that browsers do not run."""


class ExportError(MemcomRankError):
    """A model cannot be exported, or what was exported is beyond the limits of its bits."""


def diverged() -> ConfigError:
    """Return the error of a model whose scores are NaN."""
    return ConfigError(
        "the model's scores are NaN: it has diverged",
        wanted="finite scores",
        fix="lower the learning rate, clip gradients, or train with --trainer.precision=bf16-mixed or 32-true",
    )
