import json
import os
import stat
import sys

import pytest

from memcom_rank.contract.errors import DemoError
from memcom_rank.demo.assets import HERE, LOCK, TAKEN, npm_assets


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with an empty cache and without npm."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def put_npm(machine, script):
    """Install a program called npm: Python code that runs where npm would."""
    npm = machine / "bin" / "npm"
    npm.write_text(f"#!{sys.executable}\nimport os, sys\nfrom pathlib import Path\n{script}")
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)


INSTALL = f"""
assert sys.argv[1:3] == ["ci", "--ignore-scripts"], sys.argv
assert {{"package.json", "package-lock.json"}} == set(os.listdir())
for path in {list(TAKEN.values())}:
    path = Path("node_modules") / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.name)
Path("node_modules/more").write_text("not taken")
"""


def test_npm_is_asked_once(machine):
    put_npm(machine, INSTALL)
    folder = npm_assets()
    assert folder.is_relative_to(machine / "cache")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        name: path.rpartition("/")[2] for name, path in TAKEN.items()
    }
    (machine / "bin" / "npm").unlink()
    assert npm_assets() == folder
    assert os.listdir(folder.parent) == [folder.name]  # nothing temporary is left


def test_a_cache_that_lost_a_file_is_made_again(machine):
    put_npm(machine, INSTALL)
    (npm_assets() / "ort.mjs").unlink()
    assert (npm_assets() / "ort.mjs").exists()


def test_without_npm_the_error_says_so(machine):
    with pytest.raises(DemoError, match=r"npm was not found[\s\S]*install Node\.js"):
        npm_assets()


def test_npms_own_words_are_shown(machine):
    put_npm(machine, "print('npm warn idle\\nnpm error code ENOTFOUND', file=sys.stderr)\nsys.exit(7)")
    with pytest.raises(DemoError) as caught:
        npm_assets()
    assert "exit code 7" in caught.value.seen
    assert "ENOTFOUND" in caught.value.seen
    assert "idle" not in caught.value.seen
    assert not list((machine / "cache" / "memcom-rank").iterdir())


def test_the_lock_pins_every_package_by_checksum():
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    packages = json.loads(LOCK.read_text())["packages"]
    assert packages.pop("")["dependencies"] == wanted
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())  # of whichever registry npm is set to
