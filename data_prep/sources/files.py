"""Reading files: what can go wrong with a file -> one named error."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from memcom_rank.contract.errors import InputError


def check_file(path: Path) -> None:
    """Refuse a path that is not a readable, non-empty file.

    Raises:
        InputError: missing, a folder, or empty.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"input '{path}' {what}", wanted="a file", fix="check --input")
    if path.stat().st_size == 0:
        raise InputError(f"input '{path}' is empty", wanted="a log with rows", fix="download or export it again")


def collect_all_fields(log: pl.LazyFrame) -> pl.DataFrame:
    """Collect a CSV scan with every field parsed, also those that are then not selected.

    With projection pushed down, Polars does not notice lines that are too long, such as one with an unquoted comma in
    its title, and takes their shifted fields for good ones.
    """
    return log.collect(optimizations=pl.QueryOptFlags(projection_pushdown=False))


@contextlib.contextmanager
def reading(path: Path, *, wanted: str) -> Iterator[None]:
    """Turn a parser's complaint about `path` into an InputError that says what was `wanted`."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"input '{path}' cannot be read: {reason}",
            wanted=wanted,
            fix="check that the file is complete and of that form; download or export it again",
        ) from error
