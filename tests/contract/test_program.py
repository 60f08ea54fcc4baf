import os
import signal
import subprocess
import sys

import pytest

from memcom_rank.contract.program import ended


def test_what_it_returns_is_the_exit_code():
    assert ended(lambda: 7) == 7


def test_sigterm_lets_it_clean_up(tmp_path):
    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            (tmp_path / "cleaned").touch()

    with pytest.raises(SystemExit) as left:
        ended(work)
    assert left.value.code == 143
    assert (tmp_path / "cleaned").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_handler_of_somebody_else_stays():
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("theirs"))
    try:
        assert ended(lambda: signal.raise_signal(signal.SIGTERM) or 0) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == ["theirs"]


def test_ctrl_c_is_no_page_of_a_traceback(capsys):
    def work():
        raise KeyboardInterrupt

    assert ended(work) == 1
    assert capsys.readouterr().err == "stopped\n"


def test_a_reader_who_goes_away():
    lines = "from memcom_rank.contract.program import ended\nended(lambda: [print(7, flush=True) for _ in range(9**6)])"
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": {**os.environ}}
    with subprocess.Popen([sys.executable, "-c", lines], **options) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
