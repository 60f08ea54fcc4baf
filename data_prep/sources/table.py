"""Source table: any CSV or Parquet file with named columns -> the log's columns.

A CSV is read as text and typed here from all its values, never from its first rows, so that row order does not decide a
type: ids are int64 when every one is written as a plain integer, else strings.
"""

import difflib
from collections.abc import Callable
from pathlib import Path

import polars as pl

from data_prep.options import Options
from data_prep.sources.files import check_file, collect_all_fields, reading, refuse_short_rows, shown
from data_prep.split import SPLIT
from memcom_rank.contract.errors import InputError, SplitError

_TIME_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M%z", "%Y-%m-%d %H:%M:%S%.f%z")
_SPLIT_WORDS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}


def read_table(options: Options) -> pl.DataFrame:
    """Return user, game, title, engagement_hours, and timestamp, label and split where mapped; a row per input row.

    Raises:
        InputError: the file cannot be read, a row is short, a column is missing or named twice, or its values are of
            another type.
        SplitError: the split column holds other words than train, validation (valid, val) and test.
    """
    path = options.input
    assert path is not None  # options are checked
    check_file(path)
    with reading(path, wanted="a complete CSV (with a header line) or Parquet file"):
        is_parquet = path.suffix.lower() in (".parquet", ".pq")
        frame = pl.scan_parquet(path) if is_parquet else pl.scan_csv(path, infer_schema=False)
        columns = frame.collect_schema().names()
        header = columns if is_parquet else _header(path)
    mapped = {
        "user": options.user,
        "game": options.game,
        "title": options.title,
        "engagement_hours": options.engagement,
        "timestamp": options.timestamp,
        "label": options.label,
        "split": options.split_column,
    }
    for name in mapped.values():
        if name is not None and name not in columns:
            raise _no_column(str(path), name, columns)
        if name is not None and header.count(name) > 1:
            raise InputError(
                f"'{path}' has {header.count(name)} columns '{shown(name)}'",
                wanted="a name of its own for each column that is used",
                fix="rename or remove the others",
            )
    with reading(path, wanted="rows of equal length"):
        used = {source for source in mapped.values() if source}
        if is_parquet:
            raw = frame.select(sorted(used)).collect()
        else:
            raw = collect_all_fields(frame.select(sorted(used | {columns[-1]})))
    if not is_parquet:
        refuse_short_rows(path, raw[columns[-1]])
    words = [name for name, kind in raw.schema.items() if isinstance(kind, (pl.Categorical, pl.Enum))]
    raw = raw.with_columns(pl.col(words).cast(pl.String))  # a dictionary of text is text
    raw = raw.with_columns(pl.col(pl.String).replace("", None))  # an empty cell, quoted or not, holds nothing
    typed = [_TYPED[name](raw[source]).alias(name) for name, source in mapped.items() if source]
    absent = {"title": pl.String, "engagement_hours": pl.Float64}
    nulls = [pl.lit(None, kind).alias(name) for name, kind in absent.items() if mapped[name] is None]
    return pl.DataFrame(typed).with_columns(nulls)


def _header(path: Path) -> list[str]:
    """Return the names of a CSV's first line as they are written; Polars renames the second of two equal ones."""
    first = pl.scan_csv(path, has_header=False, infer_schema=False, n_rows=1, truncate_ragged_lines=True)
    return [name or "" for name in first.collect().row(0)]


def _ids(values: pl.Series) -> pl.Series:
    if values.dtype.is_integer():
        return _cast(values, pl.Int64, "ids that fit a signed 64-bit integer")
    if values.dtype != pl.String:
        raise _wrong_type(values, "integers or text")
    numbers = values.cast(pl.Int64, strict=False)
    return numbers if (numbers.cast(pl.String).eq_missing(values)).all() and not values.is_null().all() else values


def _hours(values: pl.Series) -> pl.Series:
    if not (values.dtype.is_numeric() or values.dtype == pl.String):
        raise _wrong_type(values, "numbers (hours played)")
    return _cast(values, pl.Float64, "numbers (hours played)")


def _times(values: pl.Series) -> pl.Series:
    """Return int64: the source's integers, or microseconds since 1970 (UTC where no zone is given)."""
    wanted = "integers, dates, or ISO 8601 text such as 2015-06-30, 2015-06-30T12:00:00Z or 2015-06-30T14:00:00+02:00"
    if values.dtype.is_integer():
        return _cast(values, pl.Int64, wanted)
    if values.dtype.is_temporal() and values.dtype not in (pl.Time, pl.Duration):
        return values.cast(pl.Datetime("us")).cast(pl.Int64)
    if values.dtype != pl.String:
        raise _wrong_type(values, wanted)
    numbers = values.cast(pl.Int64, strict=False)
    if numbers.null_count() == values.null_count():
        return numbers
    text = values.str.replace("T", " ", literal=True).str.strip_suffix("Z")
    text = text.str.replace(r"(:\d\d(?:\.\d+)?[+-]\d\d)$", "${1}:00")  # an offset in hours, as PostgreSQL writes it
    instants = (text.str.to_datetime(form, time_unit="us", strict=False).cast(pl.Int64) for form in _TIME_FORMATS)
    parsed = pl.select(pl.coalesce(instants)).to_series()
    _refuse_lost(values, parsed, wanted)
    return parsed.alias(values.name)


def _splits(values: pl.Series) -> pl.Series:
    words = values.cast(pl.String)
    odd = words.filter(~words.is_in(list(_SPLIT_WORDS)) | words.is_null())
    if odd.len():
        raise SplitError(
            f"{odd.len():,} rows have another split than known, e.g. {shown(repr(odd.min()))}",
            wanted=f"one of {', '.join(_SPLIT_WORDS)}",
            fix="rename those values, or choose another --split",
        )
    return words.replace_strict(_SPLIT_WORDS, return_dtype=SPLIT)


def _labels(values: pl.Series) -> pl.Series:
    """Return text; numbers and truth values as they are written, not-a-number as no label."""
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        raise _wrong_type(values, "text, numbers or true and false")
    return (values.fill_nan(None) if values.dtype.is_float() else values).cast(pl.String)


def _titles(values: pl.Series) -> pl.Series:
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        raise _wrong_type(values, "text")
    return values.cast(pl.String)


def _cast(values: pl.Series, dtype: type[pl.DataType], wanted: str) -> pl.Series:
    numbers = values.cast(dtype, strict=False)
    _refuse_lost(values, numbers, wanted)
    return numbers


def _refuse_lost(values: pl.Series, converted: pl.Series, wanted: str) -> None:
    """Refuse a conversion that made nulls of values."""
    lost = values.filter(converted.is_null() & values.is_not_null())
    if lost.len():
        raise InputError(
            f"{lost.len():,} values of column {values.name} cannot be used, e.g. {shown(repr(lost.min()))}",
            wanted=wanted,
            fix="mend or remove those rows, or map another column",
        )


def _wrong_type(values: pl.Series, wanted: str) -> InputError:
    return InputError(f"column {values.name} is {values.dtype}", wanted=wanted, fix="convert it, or map another column")


def _no_column(path: str, name: str, columns: list[str]) -> InputError:
    near = difflib.get_close_matches(name, columns, n=1, cutoff=0.4)
    hint = f"did you mean '{shown(near[0])}'?" if near else "choose one of them"
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        hint = "is the separator a comma? Export the file again with commas"
    return InputError(f"'{path}' has no column '{name}'", wanted=f"one of {shown(', '.join(columns))}", fix=hint)


_TYPED: dict[str, Callable[[pl.Series], pl.Series]] = {
    "user": _ids,
    "game": _ids,
    "title": _titles,
    "engagement_hours": _hours,
    "timestamp": _times,
    "label": _labels,
    "split": _splits,
}
