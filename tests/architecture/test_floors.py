"""Holds the project to the floor rules, and the rules to trees that break them."""

from pathlib import Path

import pytest

from tests.architecture.rules import (
    COMMAND_FLOOR,
    FLOORS,
    MAX_LINES,
    PACKAGE,
    file_violations,
    floor_violations,
    imports,
    package_files,
    package_violations,
    python_files,
    twin,
)

ROOT = Path(__file__).parents[2]


def test_imports_look_down():
    assert floor_violations(ROOT) == []


def test_each_room_imports_only_its_packages():
    assert package_violations(ROOT) == []


def test_every_file_is_short_documented_and_has_a_test_twin():
    assert file_violations(ROOT) == []


def test_only_train_knows_both_houses():
    others = [*package_files(ROOT), *python_files(ROOT / "data_prep"), *ROOT.glob("*.py")]
    both = []
    for path in others:
        used = list(imports(ROOT, path))
        trains = any(one.top == PACKAGE and one.room() != "contract" for one in used)
        if trains and any(one.top == "data_prep" for one in used):
            both.append(path.relative_to(ROOT).as_posix())
    assert both == ["train.py"]


def test_the_rules_see_the_project():
    rooms = {path.parent.name for path in package_files(ROOT)}
    assert {"contract", "metrics", "losses", "embeddings"} <= rooms
    assert python_files(ROOT / "data_prep")
    used = {one.module for one in imports(ROOT, ROOT / "src/memcom_rank/metrics/ndcg.py")}
    assert {"typing", "torch", "memcom_rank.metrics.target_ranks"} <= used


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("file", "text", "wanted"),
    [
        ("models/a.py", "from memcom_rank.tasks import RankNet", "up from floor 2 to floor 3"),
        ("contract/a.py", "import memcom_rank.metrics", "up from floor 0 to floor 1"),
        ("losses/a.py", "from memcom_rank.metrics import ndcg", "blind to one another"),
        ("models/a.py", "from memcom_rank.data.batches import B", "sideways into the insides"),
        ("models/a.py", "from memcom_rank.data import batches", "sideways into the insides"),
        ("models/a.py", "from ..tasks import RankNet", "up from floor 2 to floor 3"),
        ("models/a.py", "from .. import tasks", "up from floor 2 to floor 3"),
        ("models/a.py", "def f():\n    import memcom_rank.cli", "up from floor 2 to floor 5"),
        ("models/a.py", "if TYPE_CHECKING:\n    from memcom_rank.tasks import RankNet", "up from floor 2 to floor 3"),
        ("export/a.py", "from memcom_rank.tasks import RankNet", "export needs models, not tasks"),
        ("runtime/a.py", "from memcom_rank.contract import errors", "stands apart"),
        ("runtime/a.py", "import memcom_rank.rank_command", "stands apart"),
        ("tasks/a.py", "from memcom_rank.runtime import Ranker", "stands apart"),
        ("export/a.py", "from memcom_rank.runtime.bundle import open_bundle", "insides of the runtime"),
        ("cellar/a.py", "", "room 'cellar' has no floor"),
    ],
)
def test_a_wrong_import_is_found(file, text, wanted, tmp_path):
    rest = {"src/memcom_rank/data/batches.py": "", "src/memcom_rank/tasks/ranknet.py": ""}
    root = tree(tmp_path, {f"src/memcom_rank/{file}": text, **rest})
    (found,) = floor_violations(root)
    assert wanted in found
    assert found.startswith(f"src/memcom_rank/{file}")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("models/a.py", "from memcom_rank.embeddings.base import CompressedEmbedding"),
        ("models/a.py", "from memcom_rank.data import Batch"),
        ("models/a.py", "from memcom_rank.models.b import c\nfrom . import b\nimport torch"),
        ("__main__.py", "from memcom_rank.cli import main\nfrom memcom_rank import __version__"),
        ("runtime/a.py", "from memcom_rank.runtime.b import c\nfrom .b import d\nfrom . import b"),
        ("export/a.py", "from memcom_rank.runtime import Ranker"),
        ("__main__.py", "from memcom_rank.runtime import Ranker"),
    ],
)
def test_a_right_import_is_left_alone(file, text, tmp_path):
    assert floor_violations(tree(tmp_path, {f"src/memcom_rank/{file}": text})) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("src/memcom_rank/callbacks/a.py", "import polars as pl"),
        ("src/memcom_rank/cli.py", "from data_prep import build"),
        ("src/memcom_rank/contract/a.py", "import torch"),
        ("src/memcom_rank/contract/a.py", "import numpy as np"),
        ("src/memcom_rank/runtime/a.py", "import pyarrow"),
        ("src/memcom_rank/tasks/a.py", "def f():\n    import wandb"),
        ("src/memcom_rank/data/a.py", "from jsonargparse import lazy_instance"),
        ("src/memcom_rank/models/a.py", "from pytorch_lightning import LightningModule"),
        ("data_prep/a.py", "from memcom_rank.data import Batch"),
        ("data_prep/a.py", "import memcom_rank"),
        ("data_prep/a.py", "import torch.utils.data"),
    ],
)
def test_a_forbidden_package_is_found(file, text, tmp_path):
    (found,) = package_violations(tree(tmp_path, {file: text}))
    assert found.startswith(file)


def test_allowed_packages_are_left_alone(tmp_path):
    files = {
        "src/memcom_rank/contract/a.py": "import json\nimport pyarrow.parquet\nfrom memcom_rank.contract import b",
        "src/memcom_rank/callbacks/a.py": "import wandb",
        "src/memcom_rank/runtime/a.py": "import numpy\nimport onnxruntime",
        "data_prep/a.py": "import polars\nfrom memcom_rank.contract.errors import InputError\nfrom data_prep import b",
    }
    assert package_violations(tree(tmp_path, files)) == []


def test_long_silent_and_untested_files_are_found(tmp_path):
    files = {
        "src/memcom_rank/data/long.py": '"""Long."""\n' + "x = 1\n" * MAX_LINES,
        "src/memcom_rank/data/silent.py": "x = 1\n",
        "src/memcom_rank/data/__init__.py": '"""No twin needed."""\n',
        "data_prep/untested.py": '"""Untested."""\n',
        "tests/data/test_long.py": "",
        "tests/data/test_silent.py": "",
    }
    assert file_violations(tree(tmp_path, files)) == [
        "src/memcom_rank/data/long.py: 301 lines, at most 300",
        "src/memcom_rank/data/silent.py: no module docstring",
        "data_prep/untested.py: no test twin tests/data_prep/test_untested.py",
    ]


def test_twins_mirror_the_path():
    assert twin(ROOT, ROOT / "src/memcom_rank/__main__.py") == ROOT / "tests/test_main.py"
    assert twin(ROOT, ROOT / "src/memcom_rank/a/b/c.py") == ROOT / "tests/a/b/test_c.py"
    assert twin(ROOT, ROOT / "data_prep/sources/table.py") == ROOT / "tests/data_prep/sources/test_table.py"


def test_the_command_floor_is_the_highest():
    assert max(FLOORS.values()) < COMMAND_FLOOR
