"""The README's tree of files is the tree that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHOWN = ("configs/**/*.yaml", "data_prep/**/*.py", "src/**/*.py", "benchmarks/*.py", "docs/*.md")
UNSHOWN = ("__init__.py", "__main__.py")


def listed_files(readme: str) -> set[str]:
    """The paths of the README's tree; two spaces of indent a level, folders end with a slash."""
    tree = readme.partition("## The house")[2].split("```")[1]
    folders: list[str] = []
    files = set()
    for line in tree.strip().splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()
        folders = folders[: len(indent) // 2]
        (folders.append(name) if name.endswith("/") else files.add("".join([*folders, name])))
    return files


def test_every_source_file_has_its_line_and_every_line_its_file():
    listed = listed_files((ROOT / "README.md").read_text(encoding="utf-8"))
    there = {path.relative_to(ROOT).as_posix() for pattern in SHOWN for path in ROOT.glob(pattern)}
    there = {path for path in there if not path.endswith(UNSHOWN)}
    assert there - listed == set()
    assert {path for path in listed if not (ROOT / path).exists()} == set()


def test_a_missing_line_would_be_noticed():
    assert listed_files("## The house\n```\na/     x\n  b.py  y\nc.py\n```") == {"a/b.py", "c.py"}
