from pathlib import Path

import polars as pl
import pytest

from data_prep.sources.steam200k import read_steam200k
from memcom_rank.contract.errors import InputError


def _read(tmp_path: Path, text: str) -> pl.DataFrame:
    path = tmp_path / "log.csv"
    path.write_text(text)
    return read_steam200k(path)


def test_purchases_and_plays(tmp_path: Path) -> None:
    log = _read(tmp_path, '15,"A, the Game",purchase,1.0,0\n15,"A, the Game",play,273.0,0\n7,Spore,purchase,1.0,0\n')
    assert log.rows() == [
        (15, "A, the Game", "A, the Game", None),
        (15, "A, the Game", "A, the Game", 273.0),
        (7, "Spore", "Spore", None),
    ]
    assert log.schema == {"user": pl.Int64, "game": pl.String, "title": pl.String, "engagement_hours": pl.Float64}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "user,game,hours\n1,2,3\n",
            r"has 3 columns(.|\n)*five columns without a header(.|\n)*steam-200k.csv of Kaggle",
        ),
        ("1,A,purchase,1.0,0\n1,A,refund,1.0,0\n", r"1 lines of .* e.g. \('refund', 1.0\)"),
        ("1,A,play,,0\n", r"1 lines of .* e.g. \('play', None\)"),
        ("1,A,,1.0,0\n", "neither a purchase nor hours of play"),
        ("one,A,purchase,1.0,0\n", r"cannot be read: could not parse `one`(.|\n)*five columns"),
        ("1,A,play,many,0\n", "cannot be read: could not parse `many`"),
        ("1,A,play,1.0,0\n1,B,play,27", r"row 2 of .* has 4 fields: '1,B,play,27'\n  wanted: 5 fields"),
        ("1,A,play,1.0,0\n1,\x1b" + "x" * 500 + ",refund,1.0,0\n", r"e.g. \('refund', 1.0\)"),
        ("1,A,\x1b" + "x" * 500 + ",1.0,0\n", r"e.g. \('\\x1bx+\.\.\.\n"),
        ("1,A,play,1.0,0\n1,B,play,1.0,0,0,0\n", "cannot be read: found more fields"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _read(tmp_path, text)
