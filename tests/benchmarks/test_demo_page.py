import json
import sys

import pytest

from benchmarks import demo_page
from tests.demo.browser import CHROMIUM, program
from tests.demo.bundles import make_bundle


@pytest.mark.slow
def test_the_page_ranks_as_python_does(tmp_path, monkeypatch, capsys):
    program(*CHROMIUM)
    program("npm")
    bundle = make_bundle(tmp_path / "bundle")
    words = ["demo_page.py", str(bundle), "--rounds", "5", "--output", str(tmp_path / "out.json")]
    monkeypatch.setattr(sys, "argv", words)
    demo_page.main()
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["same_ids_as_python"] is True
    assert found["largest_score_difference"] < 1e-4
    assert "| yes |" in capsys.readouterr().out
