from pathlib import Path

import polars as pl
import pytest

from data_prep.sources.files import check_file, collect_all_fields, reading
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


def test_other_errors_pass() -> None:
    with pytest.raises(InputError, match="mine"):
        _raise_while_reading(InputError("mine", wanted="", fix=""))
    with pytest.raises(ZeroDivisionError):
        _raise_while_reading(ZeroDivisionError())


def _raise_while_reading(error: Exception) -> None:
    with reading(Path("log.csv"), wanted="a CSV"):
        raise error
