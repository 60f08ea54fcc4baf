import re

import pytest

from data_prep.progress import Progress


def test_one_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.done("read", 200_000)
    progress.done("index", 5_155, "games")
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"read +200,000 rows +\d+\.\d\d s\nindex +5,155 games +\d+\.\d\d s\n", err)
    assert progress.steps == {"read": 200_000, "index": 5_155}
