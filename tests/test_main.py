import subprocess
import sys

import numpy as np
import pytest

from memcom_rank.__main__ import main
from tests.compare.runs import write_run

USERS = list(range(30))
SCORES = np.random.default_rng(0).random(30)


@pytest.fixture
def runs(tmp_path):
    a = write_run(tmp_path / "a", users=USERS, ndcg_at_10=SCORES, mrr=SCORES)
    b = write_run(tmp_path / "b", users=USERS, ndcg_at_10=SCORES + 0.1, mrr=SCORES)
    return str(a), str(b)


def test_diff_prints_the_table(runs, capsys):
    assert main(["diff", *runs]) == 0
    out = capsys.readouterr().out
    assert "+0.1000   [+0.1000, +0.1000]   better" in out
    assert "mrr" in out
    assert main(["diff", *runs, "--metric", "ndcg@10"]) == 0
    out = capsys.readouterr().out
    assert "+0.1000   [+0.1000, +0.1000]   better" in out
    assert "mrr" not in out


def test_two_tests_of_a_real_run(fitted, capsys):
    assert main(["diff", str(fitted.folder), str(fitted.folder)]) == 0
    out = capsys.readouterr().out
    assert "ndcg@10" in out
    assert out.count("[+0.0000, +0.0000]   not resolved") == out.count("not resolved") > 3


@pytest.mark.parametrize("wrong", [["--metric", "foo"], ["nowhere"]])
def test_errors_are_printed_without_traceback(runs, wrong, capsys):
    command = ["diff", *runs, *wrong] if wrong[0] == "--metric" else ["diff", runs[0], *wrong]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert [line[:10] for line in err.splitlines()] == [err[:10], "  wanted: ", "  to do:  "]
    assert err.startswith("error: ")


@pytest.mark.parametrize(
    "command",
    [[], ["diff"], ["diff", "a"], ["dif", "a", "b"], ["baselines", "--only", "knn"], ["compare"], ["rank", "b"]],
)
def test_argparse_exits_with_2(command, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(command)
    assert exit_info.value.code == 2
    assert "usage: python -m memcom_rank" in capsys.readouterr().err


def loaded(command):
    code = (
        "import sys\nfrom memcom_rank.__main__ import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'pyarrow', 'polars', 'pytorch_lightning'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True, timeout=60)
    return ran.stdout


def test_help_loads_nothing_and_a_comparison_no_torch(runs):
    out = loaded(["--help"])
    assert "python -m memcom_rank diff runs/" in out
    assert out.splitlines()[-1] == "[]"
    assert loaded(["diff", *runs]).splitlines()[-1] == "['numpy', 'pyarrow']"
    out = loaded(["baselines", "--help"])
    assert "python -m memcom_rank baselines --data.path data/steam --only item_knn ials" in out
    assert out.splitlines()[-1] == "[]"
    out = loaded(["compare", "--help"])
    assert "python -m memcom_rank compare --config compare_smoke.yaml" in out
    assert out.splitlines()[-1] == "[]"
    out = loaded(["rank", "--help"])
    assert 'python -m memcom_rank rank bundle/ --history "Dota 2" "Portal"' in out
    assert out.splitlines()[-1] == "[]"
    assert loaded(["compare", "--config", "compar.yaml"]).splitlines()[-1] == "['numpy', 'pyarrow']"


@pytest.mark.parametrize(("ends", "code"), [(KeyboardInterrupt, 1), (BrokenPipeError, 1)])
def test_a_command_ends_quietly(monkeypatch, capfd, ends, code):
    def command(arguments):
        raise ends

    monkeypatch.setattr("memcom_rank.__main__._diff", command)
    monkeypatch.setattr("memcom_rank.contract.program.drop_output", lambda: None)
    assert main(["diff", "a", "b"]) == code
    assert "Traceback" not in capfd.readouterr().err


def test_a_seed_that_no_generator_takes(capsys):
    with pytest.raises(SystemExit):
        main(["baselines", "--seed", "-1"])
    assert "-1 is not between 0 and 4294967295" in capsys.readouterr().err


def test_flags_of_train_py_stand_apart(monkeypatch):
    seen = {}

    def compare(config, given, flags, *, report):
        seen.update(given, config=config, flags=flags, report=report)
        return "done", 1

    monkeypatch.setattr("memcom_rank.compare_command.compare", compare)
    flags = ["--config", "b.yaml", "--ratios", "3"]
    assert main(["compare", "--config", "a.yaml", "--ratios", "8", "16", "--report", "--", *flags]) == 1
    assert (seen["config"], seen["ratios"], seen["report"]) == ("a.yaml", [8, 16], True)
    assert seen["flags"] == flags
