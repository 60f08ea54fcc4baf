"""Reading files: what can go wrong with a file -> one named error."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from memcom_rank.contract.errors import InputError

_BLOCK_BYTES = 1 << 24  # no row may be longer


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


def refuse_short_rows(path: Path, last: pl.Series) -> None:
    """Refuse a CSV with a row of fewer fields than its first, such as a file cut in mid-line.

    Polars fills such rows with nulls. They cannot be told from empty fields, so where the last column has nulls the
    file is read once more, by a parser that counts. A blank line passes: its ids are null and are refused for that.

    Args:
        path: the CSV, which Polars could read.
        last: its last column as Polars read it, whose nulls are empty or absent fields.

    Raises:
        InputError: names the first such row.
    """
    if last.null_count() == 0:
        return
    short: list[pa_csv.InvalidRow] = []

    def remember(row: pa_csv.InvalidRow) -> str:
        short.append(row)
        return "error"

    # one thread, else the numbers of the rows are not known
    read = pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, autogenerate_column_names=True)
    parse = pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=remember)
    convert = pa_csv.ConvertOptions(include_columns=["f0"], column_types={"f0": pa.binary()})
    try:
        for _ in pa_csv.open_csv(path, read_options=read, parse_options=parse, convert_options=convert):
            pass
    except pa.ArrowInvalid as error:
        if not short:
            raise InputError(
                f"input '{path}' cannot be read: {shown(str(error))}",
                wanted="a CSV with rows of equal length",
                fix="check that the file is complete and of that form; download or export it again",
            ) from error
        row = short[0]
        raise InputError(
            f"row {row.number:,} of '{path}' has {row.actual_columns} fields: {shown(repr(row.text))}",
            wanted=f"{row.expected_columns} fields, as in the first row",
            fix="mend that row; where it is the last, the file was cut off: download or export it again",
        ) from error


def shown(text: str, most: int = 160) -> str:
    """Return `text` fit for a terminal: control characters escaped, and no longer than about `most` characters."""
    plain = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text[:most])
    return plain if len(text) <= most else f"{plain}..."


@contextlib.contextmanager
def reading(path: Path, *, wanted: str) -> Iterator[None]:
    """Turn a parser's complaint about `path` into an InputError that says what was `wanted`."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = shown(str(error).strip().split("\n")[0])
        raise InputError(
            f"input '{path}' cannot be read: {reason}",
            wanted=wanted,
            fix="check that the file is complete and of that form; download or export it again",
        ) from error
