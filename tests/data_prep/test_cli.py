import json
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.cli import main
from memcom_rank.contract.manifest import MANIFEST_FILE

ROOT = Path(__file__).parents[2]
SMALL = ["build", "--source", "synthetic", "--users", "300", "--games", "40"]


def test_build_then_describe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "d")
    assert main([*SMALL, "--output", target]) == 0
    built = capsys.readouterr()
    assert [line.split()[0] for line in built.err.splitlines()] == [
        "read", "clean", "split", "grade", "index", "histories", "pairs", "bayes", "write",
    ]  # fmt: skip
    table, following = built.out.rstrip().split("\n\nnext: ")
    assert following == f"python train.py fit --config ranknet.yaml --data.path {target}"
    assert main(["describe", target]) == 0
    assert capsys.readouterr().out.rstrip() == table


def test_ctrl_c_ends_it_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("data_prep.cli._check_tables", stop)
    assert main(["describe", "d"]) == 1
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("table", ["games", "test"])
def test_describe_reads_every_value(tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str) -> None:
    """A table may be damaged where nothing else looks, or be another dataset's."""
    target, other = str(tmp_path / "d"), str(tmp_path / "other")
    assert main([*SMALL, "--output", target]) == 0
    assert main([*SMALL, "--output", other, "--seed", "9"]) == 0
    (tmp_path / "d" / f"{table}.parquet").write_bytes((tmp_path / "other" / f"{table}.parquet").read_bytes())
    assert main(["describe", target]) == 1
    assert "holds tables sha256:" in capsys.readouterr().err
    (tmp_path / "d" / f"{table}.parquet").write_bytes(b"PAR1")
    assert main(["describe", target]) == 1
    assert "holds tables that cannot be read" in capsys.readouterr().err


def test_every_flag_reaches_the_manifest(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    lines = [f"{u},{g},{g}.5,T{g},{2000 + g}" for u in range(9) for g in range(8)]
    log.write_text("\n".join(["u,g,h,t,y", *lines]))
    flags = "--user u --game g --engagement h --title t --timestamp y --split time-cut --seed 9 --min-games 3"
    flags += " --pairs-per-user 7 --grade-bins 2"
    assert (
        main(["build", "--source", "table", "--input", str(log), "--output", str(tmp_path / "d"), *flags.split()]) == 0
    )
    manifest = json.loads((tmp_path / "d" / MANIFEST_FILE).read_text())
    assert manifest["options"] == {
        "input": "log.csv", "user": "u", "game": "g", "engagement": "h", "title": "t", "timestamp": "y",
        "split": "time-cut", "min_games": 3, "pairs_per_user": 7, "grade_bins": 2,
    }  # fmt: skip
    assert manifest["seed"] == 9
    assert manifest["timed"] is True


def test_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*SMALL, "--output", str(tmp_path / "d")]
    assert main(command) == 0
    assert main(command) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["describe", "nowhere"], "error: no dataset at 'nowhere'"),
        (["build", "--source", "steam200k", "--output", "d"], "error: --source steam200k without --input"),
        (
            ["build", "--source", "steam200k", "--output", "d", "--input", "no.csv"],
            "error: input 'no.csv' does not exist",
        ),
        ([*SMALL, "--output", "d", "--min-games", "1"], "error: --min-games 1"),
    ],
)
def test_errors_are_printed_without_traceback(
    command: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)
    assert [line[:10] for line in err.splitlines()[1:]] == ["  wanted: ", "  to do:  "]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [[], ["build"], ["build", "--source", "steam", "--output", "d"], ["biuld"]])
def test_argparse_exits_with_2(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(command)
    assert exit_info.value.code == 2
    assert "usage: python -m data_prep" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["--help"], ["build", "--help"]])
def test_help_teaches_and_loads_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys\nfrom data_prep.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(sorted({'polars', 'pyarrow', 'numpy', 'torch'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.splitlines()[-1] == "[]"
    assert "python -m data_prep build --source steam200k --input steam-200k.csv --output data/steam" in ran.stdout


@pytest.mark.slow
def test_a_really_full_disk(tmp_path: Path) -> None:
    """A limit of 8 KiB on written files stands for the full disk; the command runs as a user would run it."""
    command = [sys.executable, "-m", "data_prep", *SMALL, "--output", str(tmp_path / "d")]
    ran = subprocess.run(
        ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *command], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 1
    assert "error: cannot write" in ran.stderr
    assert "free disk space" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []
