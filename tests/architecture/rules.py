"""The floor rules of the code base, checked on syntax trees: nothing is imported or run.

Takes the root of a checkout -> gives violations as "path:line: what is wrong". `test_floors.py` holds the project to
them and tries them on trees that break them.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = "memcom_rank"
FLOORS = {
    "contract": 0,
    **dict.fromkeys(("embeddings", "losses", "metrics"), 1),
    **dict.fromkeys(("models", "data", "baselines"), 2),
    "tasks": 3,
    **dict.fromkeys(("callbacks", "export", "compare"), 4),
}
COMMAND_FLOOR = 5  # the files beside the rooms: cli.py, __main__.py, ...
APART = "runtime"  # ranks on the device: a copy of this folder must work alone, so that it imports nothing of the house
APART_IS_SEEN_FROM = 4  # and below this floor nobody needs it

ONLY = {"contract": {"pyarrow"}, APART: {"numpy", "onnxruntime"}}  # beyond the standard library and the room itself
PURE_TENSORS = ("embeddings", "losses", "metrics", "models", "baselines")
NEVER = {
    **{room: {"wandb", "jsonargparse", "pytorch_lightning"} for room in PURE_TENSORS},
    **{room: {"wandb", "jsonargparse"} for room in ("data", "tasks")},
}
NEVER_IN_PACKAGE = {"polars", "data_prep"}
NEVER_IN_DATA_PREP = {"torch", "torchmetrics", "pytorch_lightning", "wandb", "jsonargparse"}
MAX_LINES = 300


class Import(NamedTuple):
    """One imported module, wherever in the file the import stands."""

    path: Path
    line: int
    module: str

    @property
    def top(self) -> str:
        return self.module.split(".")[0]

    def room(self) -> str | None:
        """The room of the package that is entered, or None: outside, or the empty package itself."""
        parts = self.module.split(".")
        return parts[1] if parts[0] == PACKAGE and len(parts) > 1 else None


def floor_violations(root: Path) -> list[str]:
    """Imports look down, or into the exports of a room on the same floor; floor 1 and the runtime stand alone."""
    found = []
    for path in package_files(root):
        room = room_of(root, path)
        if room not in FLOORS and room != APART and path.parent != root / "src" / PACKAGE:
            found.append(f"{path.relative_to(root)}: room '{room}' has no floor; give it one in {Path(__file__).name}")
            continue
        found.extend(
            f"{path.relative_to(root)}:{used.line}: {room} imports {used.module}: {wrong}"
            for used in imports(root, path)
            if (wrong := _wrong(room, used))
        )
    return found


def _wrong(room: str, used: Import) -> str | None:
    target = used.room()
    if target is None or target == room:
        return None
    here, there = FLOORS.get(room, COMMAND_FLOOR), FLOORS.get(target, COMMAND_FLOOR)
    if room == APART or (target == APART and here < APART_IS_SEEN_FROM):
        return "the runtime stands apart"
    if target == APART:
        return None if used.module == f"{PACKAGE}.{APART}" else "into the insides of the runtime; import its exports"
    if there > here:
        return f"up from floor {here} to floor {there}"
    if there == here == 1:
        return "the rooms of floor 1 are blind to one another"
    if there == here and used.module != f"{PACKAGE}.{target}":
        return "sideways into the insides of a room; import what its __init__ exports"
    if (room, target) == ("export", "tasks"):
        return "export needs models, not tasks"
    return None


def package_violations(root: Path) -> list[str]:
    """Each house and room imports only the packages it may: no polars in training, no torch in the ETL, ..."""
    found = []

    def refuse(used: Import, who: str) -> None:
        found.append(f"{used.path.relative_to(root)}:{used.line}: {who} imports {used.module}")

    for path in package_files(root):
        room = room_of(root, path)
        allowed = ONLY.get(room)
        for used in imports(root, path):
            if used.top in NEVER_IN_PACKAGE | NEVER.get(room, set()) or (
                allowed is not None and used.top not in {PACKAGE, *allowed, *sys.stdlib_module_names}
            ):
                refuse(used, room)
    for path in python_files(root / "data_prep"):
        for used in imports(root, path):
            in_package = used.top == PACKAGE and used.room() != "contract"
            if in_package or used.top in NEVER_IN_DATA_PREP:
                refuse(used, "data_prep")
    return found


def file_violations(root: Path) -> list[str]:
    """Every source file is short, says what it is, and has a test twin at the mirrored path."""
    found = []
    for path in [*package_files(root), *python_files(root / "data_prep")]:
        text, name = path.read_text(encoding="utf-8"), path.relative_to(root)
        if (lines := len(text.splitlines())) > MAX_LINES:
            found.append(f"{name}: {lines} lines, at most {MAX_LINES}")
        if not ast.get_docstring(ast.parse(text)):
            found.append(f"{name}: no module docstring")
        if path.name != "__init__.py" and not twin(root, path).exists():
            found.append(f"{name}: no test twin {twin(root, path).relative_to(root)}")
    return found


def twin(root: Path, path: Path) -> Path:
    """src/memcom_rank/X/y.py -> tests/X/test_y.py; data_prep/X/y.py -> tests/data_prep/X/test_y.py."""
    package = root / "src" / PACKAGE
    mirrored = path.relative_to(package if path.is_relative_to(package) else root)
    return root / "tests" / mirrored.with_name(f"test_{path.stem.strip('_')}.py")


def package_files(root: Path) -> list[Path]:
    """All source files of the package."""
    return python_files(root / "src" / PACKAGE)


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def room_of(root: Path, path: Path) -> str:
    """The folder under the package, or the stem of a file beside the rooms."""
    return path.relative_to(root / "src" / PACKAGE).parts[0].removesuffix(".py")


def imports(root: Path, path: Path) -> Iterator[Import]:
    """Every import of a file: at the top, inside functions, and for type checkers only."""
    home = path.relative_to(root / "src" if path.is_relative_to(root / "src") else root).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(home[: len(home) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (start, node.module or "") if part)
            for alias in node.names:  # `from a import b`: b may be a module
                inner = f"{module}.{alias.name}"
                yield Import(path, node.lineno, inner if _is_module(root, inner) else module)


def _is_module(root: Path, module: str) -> bool:
    for start in (root / "src", root):
        place = start.joinpath(*module.split("."))
        if place.with_suffix(".py").exists() or place.is_dir():
            return True
    return False
