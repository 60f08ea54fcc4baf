"""Options of a build: the command line's arguments -> one checked, immutable value. Standard library only."""

import dataclasses
from pathlib import Path
from typing import Any

from memcom_rank.contract.errors import ConfigError

SOURCES = ("steam200k", "table", "synthetic")
SPLITS = ("holdout", "leave-last-out", "time-cut", "users")
COLUMN_SPLIT = "column:"
MAX_GRADE_BINS = 100  # grades are int8


@dataclasses.dataclass(frozen=True)
class Options:
    """What to build, from what, and where.

    Attributes:
        source: one of `SOURCES`.
        output: dataset folder to make.
        input: raw log; a CSV file, for "table" also Parquet. None for "synthetic".
        user: column of user ids ("table" only, like the next five).
        game: column of game ids.
        title: column of game titles; without it a game's title is its id.
        engagement: column of hours played.
        timestamp: column of times: integers, dates, or ISO 8601 text.
        label: column of a fact to be told from a user's games ("table" only); whole users are then held out.
        split: one of `SPLITS` or "column:NAME"; None means "users" with a label, else "leave-last-out" with a
            timestamp, else "holdout".
        seed: seed of split, pairs and the synthetic world.
        min_games: distinct games a user needs to be evaluated.
        pairs_per_user: most graded pairs kept per user.
        grade_bins: number of play-time grades.
        users: users of the synthetic world.
        games: games of the synthetic world.
        overwrite: replace a dataset that is already there.
    """

    source: str
    output: Path
    input: Path | None = None
    user: str | None = None
    game: str | None = None
    title: str | None = None
    engagement: str | None = None
    timestamp: str | None = None
    label: str | None = None
    split: str | None = None
    seed: int = 1
    min_games: int = 5
    pairs_per_user: int = 64
    grade_bins: int = 4
    users: int = 20_000
    games: int = 2_000
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check every value and combination; ConfigError names the flag."""
        if self.source not in SOURCES:
            raise _error(f"--source {self.source}", f"one of {', '.join(SOURCES)}", "choose one of them")
        if self.split is None:
            default = "users" if self.label else "leave-last-out" if self.timestamp else "holdout"
            object.__setattr__(self, "split", default)
        self._check_split()
        self._check_columns()
        self._check_numbers()

    @property
    def split_name(self) -> str:
        """The split, never None."""
        return str(self.split)

    @property
    def split_column(self) -> str | None:
        """NAME of a split "column:NAME", else None."""
        name = self.split_name
        return name.removeprefix(COLUMN_SPLIT) if name.startswith(COLUMN_SPLIT) else None

    def recorded(self) -> dict[str, Any]:
        """Return the options that shape this source's dataset, for the manifest (no folder of this machine)."""
        left_out = {"output", "overwrite", "source", "seed"}
        if self.source != "synthetic":
            left_out |= {"users", "games"}
        if self.label is not None:
            left_out |= {"min_games", "pairs_per_user"}  # no game is held out, no pair made
        values = {k: v for k, v in dataclasses.asdict(self).items() if k not in left_out and v is not None}
        if self.input is not None:
            values["input"] = self.input.name
        return values

    def _check_split(self) -> None:
        if self.split_column == "" or (self.split_column is None and self.split_name not in SPLITS):
            raise _error(
                f"--split {self.split}",
                f"one of {', '.join(SPLITS)} or column:NAME",
                "choose one of them, e.g. --split holdout",
            )
        if self.split_name in ("leave-last-out", "time-cut") and not self.timestamp:
            raise _error(
                f"--split {self.split} without --timestamp",
                "a column that says when",
                "name it with --timestamp COL (--source table), or use --split holdout",
            )
        if self.label is not None and self.split_name in ("holdout", "leave-last-out", "time-cut"):
            raise _error(
                f"--split {self.split} with --label",
                "users or column:NAME: a label is a user's, so whole users are held out",
                "drop --split",
            )
        if self.label is None and self.split_name == "users":
            raise _error(
                "--split users without --label",
                "a label to be told of users that training never saw",
                f"name its column with --label COL, or choose one of {', '.join(SPLITS[:3])}",
            )

    def _check_columns(self) -> None:
        columns = ("user", "game", "title", "engagement", "timestamp", "label")
        named = [n for n in columns if getattr(self, n) is not None]
        if self.source == "table":
            missing = [f"--{name}" for name in ("user", "game") if name not in named]
            if missing:
                raise _error(
                    f"--source table without {' and '.join(missing)}",
                    "the columns of user and game ids",
                    "name them, e.g. --user user_id --game item_id",
                )
        elif named or self.split_column is not None:
            given = f"--{named[0]}" if named else f"--split {self.split}"
            raise _error(f"{given} with --source {self.source}", "--source table", f"drop it; {self.source} has none")
        if self.source == "synthetic" and self.input is not None:
            raise _error("--input with --source synthetic", "no input: the log is made up", "drop --input")
        if self.source != "synthetic" and self.input is None:
            raise _error(f"--source {self.source} without --input", "the raw log", "pass --input FILE")

    def _check_numbers(self) -> None:
        limits = {
            "seed": (0, 2**63 - 1),
            "min_games": (3, 2**31 - 1),  # one validation, one test and at least one game to rank from
            "pairs_per_user": (0, 2**31 - 1),
            "grade_bins": (1, MAX_GRADE_BINS),
            "users": (10, 2**31 - 1),
            "games": (20, 2**31 - 3),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                flag = "--" + name.replace("_", "-")
                raise _error(f"{flag} {value}", f"an integer from {low} to {high}", f"choose another {flag}")


def _error(seen: str, wanted: str, fix: str) -> ConfigError:
    return ConfigError(seen, wanted=wanted, fix=fix)
