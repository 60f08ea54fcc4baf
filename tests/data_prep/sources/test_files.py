from pathlib import Path

import polars as pl
import pytest

from data_prep.sources import files
from data_prep.sources.files import check_file, collect_all_fields, reading, refuse_short_rows, shown
from memcom_rank.contract.errors import InputError


def test_missing_folder_and_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist(.|\n)*check --input"):
        check_file(tmp_path / "no.csv")
    with pytest.raises(InputError, match=r"is a folder"):
        check_file(tmp_path)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputError, match=r"is empty(.|\n)*a log with rows"):
        check_file(tmp_path / "empty.csv")
    (tmp_path / "full.csv").write_text("x")
    check_file(tmp_path / "full.csv")


@pytest.mark.parametrize("error", [pl.exceptions.ComputeError("line 1\nline 2"), PermissionError("line 1")])
def test_a_parser_error_is_named(error: Exception) -> None:
    with pytest.raises(InputError, match=r"input 'log.csv' cannot be read: line 1\n  wanted: a CSV\n  to do:  check"):
        _raise_while_reading(error)


def test_a_long_line_is_noticed_even_where_its_end_is_not_wanted(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("u,g,h\n1,2,3\n4,5,6,7\n")
    log = pl.scan_csv(tmp_path / "log.csv").select("u", "g")
    with pytest.raises(pl.exceptions.ComputeError, match="found more fields"):
        collect_all_fields(log)
    (tmp_path / "log.csv").write_text("u,g,h\n1,2,3\n")
    assert collect_all_fields(log).rows() == [(1, 2)]


def _last(path: Path) -> pl.Series:
    return pl.read_csv(path, infer_schema=False).to_series(-1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u,g,h\n1,2,3\n1,7\n4,5,\n", r"row 3 of '.*log.csv' has 2 fields: '1,7'\n  wanted: 3 fields"),
        ("u,g,h\n1,2,3\n4", "row 3 of .* has 1 fields: '4'(.|\n)*the file was cut off"),
        ("u,g,h\r\n1,2,3\r\n4,5\r\n", "row 3 of .* has 2 fields"),
        ('u,g,h\n1,"a\n,b",3\n4,"5,6"\n', """row 3 of .* has 2 fields: '4,"5,6"'"""),
        ("u,g,h\n1,2,3\n\n4,5\n", "row 4 of .* has 2 fields"),  # a blank line is a row (and its null ids are refused)
        ("u,g,h\n1," + "x" * 500, r"x\.\.\.\n"),
    ],
)
def test_short_rows(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(text.encode())
    with pytest.raises(InputError, match=message):
        refuse_short_rows(path, _last(path))


@pytest.mark.parametrize(
    "text", ["u,g,h\n1,2,\n,,\n", 'u,g,h\n1,"a\n,""b""",\n4,5" disk,', "u\n1\n2", 'u,g\n1,""\n2,', "u,g\r\n1,\r\n"]
)
def test_empty_fields_are_not_absent(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(text.encode())
    refuse_short_rows(path, pl.Series([None]))  # whatever Polars saw


def test_one_short_row_in_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_BLOCK_BYTES", 1000)
    path = tmp_path / "log.csv"
    rows = [f'{number},"a\n{number}",' for number in range(2000)]
    path.write_text("\n".join(["u,g,h", *rows]))
    refuse_short_rows(path, _last(path))
    rows[1500] = "7,x"
    path.write_text("\n".join(["u,g,h", *rows]))
    with pytest.raises(InputError, match="row 1,502 of"):
        refuse_short_rows(path, _last(path))


def test_what_the_counting_parser_cannot_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_BLOCK_BYTES", 100)
    path = tmp_path / "log.csv"
    path.write_text(f"u,g\n1,2\n{'x' * 1000},\n")
    with pytest.raises(InputError, match=r"cannot be read: .*\n  wanted: a CSV"):
        refuse_short_rows(path, _last(path))


def test_shown() -> None:
    assert shown("Müller's café, Zürich") == "Müller's café, Zürich"
    assert shown("a\x00\x1b[31m\tb\u202e") == r"a\x00\x1b[31m\tb\u202e"
    assert shown("abcdef", 3) == "abc..."


def test_a_parser_error_shows_no_control_characters() -> None:
    with pytest.raises(InputError, match=r"cannot be read: odd \\x1b\[31mvalue\n"):
        _raise_while_reading(pl.exceptions.ComputeError("odd \x1b[31mvalue\nmore"))


def test_other_errors_pass() -> None:
    with pytest.raises(InputError, match="mine"):
        _raise_while_reading(InputError("mine", wanted="", fix=""))
    with pytest.raises(ZeroDivisionError):
        _raise_while_reading(ZeroDivisionError())


def _raise_while_reading(error: Exception) -> None:
    with reading(Path("log.csv"), wanted="a CSV"):
        raise error
