from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_prep.options import Options
from data_prep.sources.table import read_table
from memcom_rank.contract.errors import InputError, SplitError


def _options(path: Path, **more: Any) -> Options:
    return Options("table", Path("out"), path, user="u", game="g", **more)


def _csv(tmp_path: Path, text: str, **more: Any) -> pl.DataFrame:
    path = tmp_path / "log.csv"
    path.write_text(text)
    return read_table(_options(path, **more))


def _parquet(tmp_path: Path, columns: dict[str, Any], **more: Any) -> pl.DataFrame:
    path = tmp_path / "log.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return read_table(_options(path, **more))


def test_mapped_columns_of_a_csv(tmp_path: Path) -> None:
    log = _csv(tmp_path, "x,g,u,h,n\n9,4,ann,1.5,Four\n9,5,bob,,\n", title="n", engagement="h")
    assert log.rows(named=True) == [
        {"user": "ann", "game": 4, "title": "Four", "engagement_hours": 1.5},
        {"user": "bob", "game": 5, "title": None, "engagement_hours": None},
    ]


def test_equal_names_of_columns_that_are_not_used(tmp_path: Path) -> None:
    assert _csv(tmp_path, "u,g,,\n1,2,x,y\n").rows() == [(1, 2, None, None)]


def test_quoted_commas_and_newlines_beside_empty_last_fields(tmp_path: Path) -> None:
    log = _csv(tmp_path, 'u,g,n,h\n1,4,"a, ""b""\nc",\n1,5,"",\n', title="n", engagement="h")
    assert log.rows() == [(1, 4, 'a, "b"\nc', None), (1, 5, None, None)]


def test_unmapped_columns_are_null(tmp_path: Path) -> None:
    log = _csv(tmp_path, "u,g\n1,2\n")
    assert log.schema == {"user": pl.Int64, "game": pl.Int64, "title": pl.String, "engagement_hours": pl.Float64}
    assert log.rows() == [(1, 2, None, None)]


def test_parquet_and_csv_agree(tmp_path: Path) -> None:
    rows: dict[str, Any] = {"u": [3, 1], "g": ["b", "a"], "h": [0.5, None], "t": [5, 6]}
    from_parquet = _parquet(tmp_path, rows, engagement="h", timestamp="t")
    assert from_parquet.equals(_csv(tmp_path, "u,g,h,t\n3,b,0.5,5\n1,a,,6\n", engagement="h", timestamp="t"))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "20"], [1, 20]),
        (["1"] * 200 + ["x7"], ["1"] * 200 + ["x7"]),  # a late word makes them all words
        (["007", "7"], ["007", "7"]),  # two different ids
        (["1.0", "2.0"], ["1.0", "2.0"]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),  # beyond 64 bits
    ],
)
def test_ids_are_integers_only_if_all_are(tmp_path: Path, texts: list[str], expected: list[Any]) -> None:
    assert _csv(tmp_path, "u,g\n" + "".join(f"{text},1\n" for text in texts))["user"].to_list() == expected


@pytest.mark.parametrize("dtype", [pl.Int32, pl.UInt8, pl.UInt64])
def test_integer_ids_become_int64(tmp_path: Path, dtype: type[pl.DataType]) -> None:
    assert _parquet(tmp_path, {"u": pl.Series([1, 2], dtype=dtype), "g": ["a", "b"]})["user"].dtype == pl.Int64


def test_categories_become_text(tmp_path: Path) -> None:
    assert (
        _parquet(tmp_path, {"u": pl.Series(["a", "b"], dtype=pl.Categorical), "g": [1, 2]})["user"].dtype == pl.String
    )


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["a", "b", "", "7"])], ids=["categorical", "enum"])
def test_an_empty_category_is_nothing_as_an_empty_cell_is(tmp_path: Path, kind: Any) -> None:
    mapped = {"title": "n", "label": "l", "timestamp": "t", "engagement": "h"}
    text = {"u": ["a", "", "b"], "g": ["", "b", "a"], "n": ["b", "a", ""], "l": ["", "a", "b"], "t": ["7", "", "7"]}
    text["h"] = text["t"]
    log = _parquet(tmp_path, {name: pl.Series(cells, dtype=kind) for name, cells in text.items()}, **mapped)
    lines = [",".join(cells) for cells in zip(*text.values(), strict=True)]
    assert log.equals(_csv(tmp_path, "\n".join([",".join(text), *lines]), **mapped))
    assert log.null_count().row(0) == (1,) * 6


MICROSECONDS = 1_000_000
NOON = int(datetime(2015, 6, 30, 12, tzinfo=UTC).timestamp()) * MICROSECONDS
MIDNIGHT = NOON - 12 * 3600 * MICROSECONDS


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["17", "-4"], [17, -4]),
        (["2015-06-30", ""], [MIDNIGHT, None]),
        (["2015-06-30", "2015-06-30T12:00:00Z", "2015-06-30 12:00", "2015-06-30 12:00:00.5"],
         [MIDNIGHT, NOON, NOON, NOON + 500_000]),
        (["2015-06-30 14:00:00+02", "2015-06-30 06:00:00.25-06", "2015-06-30"], [NOON, NOON + 250_000, MIDNIGHT]),
        (["2015-06-30T12:00:00+00:00", "2015-06-30T14:00+02:00", "2015-06-30 06:30:00.5-0530", "2015-06-30T12:00:00"],
         [NOON, NOON, NOON + 500_000, NOON]),
    ],
)  # fmt: skip
def test_times_of_a_csv(tmp_path: Path, texts: list[str], expected: list[int | None]) -> None:
    log = _csv(tmp_path, "u,g,t\n" + "".join(f"1,1,{text}\n" for text in texts), timestamp="t")
    assert log["timestamp"].to_list() == expected
    assert log["timestamp"].dtype == pl.Int64


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (date(2015, 6, 30), MIDNIGHT),
        (datetime(2015, 6, 30, 12), NOON),
        (datetime(2015, 6, 30, 12, tzinfo=UTC), NOON),
    ],
)
def test_times_of_a_parquet(tmp_path: Path, value: date, expected: int) -> None:
    assert _parquet(tmp_path, {"u": [1], "g": [1], "t": [value]}, timestamp="t")["timestamp"].to_list() == [expected]


def test_split_words(tmp_path: Path) -> None:
    text = "u,g,s\n1,1,train\n1,2,valid\n1,3,val\n1,4,validation\n1,5,test\n"
    splits = _csv(tmp_path, text, split="column:s")["split"]
    assert splits.to_list() == ["train", "validation", "validation", "validation", "test"]


@pytest.mark.parametrize("word", ["dev", "", "Train"])
def test_other_split_words_are_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(SplitError, match=r"1 rows have another split than known, e.g. (.|\n)*train, validation"):
        _csv(tmp_path, f"u,g,s\n1,1,train\n1,2,{word}\n", split="column:s")


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("usr,g\n1,1\n", {}, r"has no column 'u'\n  wanted: one of usr, g\n  to do:  did you mean 'usr'"),
        ("u,g,playtime\n1,1,1\n", {"engagement": "playtme"}, "did you mean 'playtime'"),
        ("u,g\n1,1\n", {"timestamp": "zzz"}, "has no column 'zzz'(.|\n)*choose one of them"),
        ("u,g,h\n1,1,many\n1,2,3\n", {"engagement": "h"}, "1 values of column h cannot be used, e.g. 'many'"),
        ("u,g,t\n1,1,yesterday\n", {"timestamp": "t"}, "column t cannot be used, e.g. 'yesterday'(.|\n)*ISO 8601"),
        ("u,g,t\n1,1,30.06.2015\n1,1,2015-06-30\n", {"timestamp": "t"}, "e.g. '30.06.2015'"),
        ("u,g,h\n1,1,2\n1,7\n", {"engagement": "h"}, r"row 3 of .* has 2 fields: '1,7'\n  wanted: 3 fields"),
        ("u,g,x\n1,1,2\n1,7\n", {}, "row 3 of .* has 2 fields"),  # in a column that is not mapped, too
        ("u,g,h\n1,1,2.5\n1,7", {"engagement": "h"}, "the file was cut off"),
        ("u,g,g\n1,1,1\n", {}, r"has 2 columns 'g'\n  wanted: a name of its own(.|\n)*rename or remove"),
        ("u;g;h\n1;1;1\n", {}, r"has no column 'u'\n  wanted: one of u;g;h\n  to do:  is the separator a comma"),
        ("u;g;h\n1;1;1,5\n", {}, "is the separator a comma"),  # a comma in the decimals
        ("u\tg\n1\t1\n", {}, r"one of u\\tg\n  to do:  is the separator a comma"),
        ("\x00\x1b[31m" + "y" * 500 + ",z\n1,2\n", {}, r"wanted: one of \\x00\\x1b\[31my{100,160}\.\.\.\n"),
        ("u,g,h\n1,1,\x1b" + "y" * 500 + "\n", {"engagement": "h"}, r"e.g. '\\x1by{100,160}\.\.\.\n"),
        ("u,g\n1,1,1,1\n", {}, r"cannot be read: found more fields(.|\n)*rows of equal length"),
    ],
)
def test_wrong_columns_and_values_of_a_csv(tmp_path: Path, text: str, more: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _csv(tmp_path, text, **more)


@pytest.mark.parametrize(
    ("columns", "more", "message"),
    [
        ({"u": [1.0], "g": [1]}, {}, r"column u is Float64\n  wanted: integers or text"),
        ({"u": pl.Series([2**63], dtype=pl.UInt64), "g": [1]}, {}, "column u cannot be used, e.g. 9223372036854775808"),
        ({"u": [1], "g": [[1]]}, {}, r"column g is List\(Int64\)"),
        ({"u": [1], "g": [1], "n": [["a"]]}, {"title": "n"}, r"column n is List\(String\)"),
        ({"u": [1], "g": [1], "n": [b"\xff"]}, {"title": "n"}, "column n is Binary"),
        ({"u": [1], "g": [1], "h": [True]}, {"engagement": "h"}, r"column h is Boolean\n  wanted: numbers"),
        ({"u": [1], "g": [1], "t": [1.5]}, {"timestamp": "t"}, "column t is Float64(.|\n)*integers, dates"),
    ],
)
def test_wrong_types_of_a_parquet(tmp_path: Path, columns: dict[str, Any], more: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _parquet(tmp_path, columns, **more)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_truncated_parquet(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame({"u": range(5000), "g": range(5000)}).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match=r"cannot be read(.|\n)*complete CSV(.|\n)*download or export it again"):
        read_table(_options(path))
