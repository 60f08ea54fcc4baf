"""What an import loads, tried in fresh interpreters: rooms work where packages that they do not need are absent."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "memcom_rank"
WITHOUT_EXTRAS = ("embeddings", "losses", "metrics", "models", "data", "baselines", "tasks")
HEAVY = {"torch", "polars", "pytorch_lightning", "torchmetrics", "wandb", "jsonargparse"}

# An absent package has neither a module nor metadata; Lightning looks at both.
PROBE = """
import importlib.metadata, json, sys

absent = set(json.loads(sys.argv[2]))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
version, distribution = importlib.metadata.version, importlib.metadata.distribution

def hiding(look):
    def hidden(name):
        if name in absent:
            raise importlib.metadata.PackageNotFoundError(name)
        return look(name)
    return hidden

importlib.metadata.version, importlib.metadata.distribution = hiding(version), hiding(distribution)
importlib.import_module(sys.argv[1])
print(json.dumps(sorted(sys.modules)))
"""


def loaded_by(module: str, *, absent: tuple[str, ...] = ()) -> set[str]:
    """Import `module` in a fresh interpreter and return the packages it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, module, json.dumps(absent)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "memcom_rank",
        "memcom_rank.contract.manifest",
        "memcom_rank.compare",
        "memcom_rank.runtime",
        "data_prep",
        "data_prep.cli",
    ],
)
def test_light_modules_load_nothing_heavy(module):
    assert not loaded_by(module) & (HEAVY - ({"polars"} if module.startswith("data_prep") else set()))


@pytest.mark.slow
@pytest.mark.parametrize("room", [room for room in WITHOUT_EXTRAS if (PACKAGE / room / "__init__.py").exists()])
def test_rooms_work_without_polars_wandb_and_jsonargparse(room):
    assert "torch" in loaded_by(f"memcom_rank.{room}", absent=("polars", "wandb", "jsonargparse"))


@pytest.mark.slow
def test_the_runtime_loads_onnxruntime_only_to_load_a_model():
    assert not loaded_by("memcom_rank.runtime") & (HEAVY | {"onnxruntime", "numpy", "pyarrow"})


@pytest.mark.slow
def test_the_probe_hides_packages():
    with pytest.raises(AssertionError, match="No module named 'polars'"):
        loaded_by("polars", absent=("polars",))
