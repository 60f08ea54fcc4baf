from pathlib import Path

import pytest

from memcom_rank import demo_command
from memcom_rank.__main__ import main
from memcom_rank.contract.errors import DemoError


@pytest.fixture
def calls(monkeypatch):
    """What the command asks of the demo room."""
    seen = []

    def write_site(bundle, output):
        seen.append(("write", bundle, output))
        if str(bundle) == "broken":
            raise DemoError("npm was not found", wanted="npm", fix="install it")
        Path(output).mkdir()

    def serve(folder, *, port, ready):
        seen.append(("serve", folder, port, folder.is_dir()))
        ready("http://127.0.0.1:5/")

    monkeypatch.setattr(demo_command, "write_site", write_site)
    monkeypatch.setattr(demo_command, "serve", serve)
    return seen


def test_without_output_the_page_is_served_from_a_folder_that_goes_again(calls, capsys):
    assert main(["demo", "bundle", "--port", "0"]) == 0
    (_, bundle, folder), served = calls
    assert bundle == Path("bundle")
    assert served == ("serve", folder, 0, True)
    assert not folder.parent.exists()
    assert capsys.readouterr().out == "http://127.0.0.1:5/   open it in a browser; Ctrl-C stops\nstopped\n"


def test_with_output_nothing_is_served(calls, tmp_path, capsys):
    assert main(["demo", "bundle", "--output", str(tmp_path / "site")]) == 0
    assert calls == [("write", Path("bundle"), tmp_path / "site")]
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'site'}: host this folder")


def test_errors_are_printed_without_traceback(calls, capsys):
    assert main(["demo", "broken"]) == 1
    assert capsys.readouterr().err == "error: npm was not found\n  wanted: npm\n  to do:  install it\n"
