"""The runtime where nothing but onnxruntime and numpy is installed."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from memcom_rank.__main__ import main

ROOT = Path(__file__).parents[2]
ABSENT = (
    "torch",
    "torchmetrics",
    "pytorch_lightning",
    "lightning_utilities",
    "polars",
    "pyarrow",
    "wandb",
    "jsonargparse",
)
RANK = """
import json, sys
from {package} import Ranker
print(json.dumps(Ranker.load(sys.argv[1]).rank(["Dota 2", "Portal"], 5)))
"""
BLOCKED = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""


def run(*command, **environment):
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**{key: value for key, value in os.environ.items() if key != "PYTHONPATH"}, **environment},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def ranking(ranker):
    return [list(game) for game in ranker.rank(["Dota 2", "Portal"], 5)]


@pytest.fixture
def printed(bundle, capsys):
    assert main(["rank", str(bundle), "--history", "dota2", "Portal"]) == 0
    return capsys.readouterr().out


def test_it_ranks_where_the_rest_cannot_be_imported(bundle, ranking, printed):
    code = (
        BLOCKED
        + RANK.format(package="memcom_rank.runtime")
        + (
            "from memcom_rank.__main__ import main\n"
            "main(['rank', sys.argv[1], '--history', 'dota2', 'Portal'])\n"
            f"print({ABSENT}, sorted(set(sys.modules) & set({ABSENT})))"
        )
    )
    first, _, rest = run(sys.executable, "-c", code, bundle, PYTHONPATH=str(ROOT / "src")).partition("\n")
    assert json.loads(first) == ranking
    assert rest.startswith(printed)
    assert rest.endswith(") []\n")


def test_a_copy_of_the_folder_works_alone(bundle, ranking, tmp_path):
    shutil.copytree(ROOT / "src/memcom_rank/runtime", tmp_path / "ours")
    code = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})" + RANK.format(package="ours")
    out = run(sys.executable, "-I", "-c", code + "assert 'memcom_rank' not in sys.modules", bundle)
    assert json.loads(out) == ranking


def test_without_onnxruntime_the_error_says_what_to_install(bundle):
    code = BLOCKED.replace("'torch',", "'onnxruntime',") + (
        "from memcom_rank.runtime import BundleError, Ranker\n"
        "try: Ranker.load(sys.argv[1])\nexcept BundleError as error: print(error)"
    )
    out = run(sys.executable, "-c", code, bundle, PYTHONPATH=str(ROOT / "src"))
    assert out.startswith("onnxruntime cannot be loaded: onnxruntime\n")
    assert "pip install onnxruntime numpy" in out


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """The interpreter of a fresh environment with onnxruntime, numpy and this package without its dependencies."""
    folder = tmp_path_factory.mktemp("bare")
    for name in ("pyproject.toml", "README.md", "LICENSE"):  # building leaves files behind: not in the checkout
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    run(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check")
    run(*pip, *(f"{name}=={importlib.metadata.version(name)}" for name in ("onnxruntime", "numpy")))
    run(*pip, "--no-deps", folder)
    return python


@pytest.mark.slow
def test_it_ranks_in_a_fresh_environment(bare, bundle, ranking, printed):
    code = RANK.format(package="memcom_rank.runtime") + (
        f"import importlib.util\nassert not any(map(importlib.util.find_spec, {ABSENT}))\n"
        "import memcom_rank; print(memcom_rank.__file__)"
    )
    first, place = run(bare, "-c", code, bundle).splitlines()
    assert json.loads(first) == ranking
    assert Path(place).is_relative_to(bare.parents[1])
    assert run(bare, "-m", "memcom_rank", "rank", bundle, "--history", "dota2", "Portal") == printed
    assert "pip install onnxruntime numpy" in run(bare, "-m", "memcom_rank", "rank", "--help")
