import tomllib
from pathlib import Path

import pytest

from memcom_rank.contract.errors import DemoError
from memcom_rank.demo.site import PAGE, write_site
from memcom_rank.runtime import BundleError, open_bundle
from tests.demo.bundles import make_bundle

ROOT = Path(__file__).parents[2]


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("without_npm")
def test_a_site_is_the_page_npms_files_and_the_bundle(bundle, tmp_path):
    write_site(bundle, tmp_path / "out" / "site")
    wanted = {**contents(PAGE), "npm/ort.mjs": b"export {};"}
    wanted |= {f"bundle/{name}": data for name, data in contents(bundle).items()}
    assert contents(tmp_path / "out" / "site") == wanted
    assert {"index.html", "main.js", "style.css"} <= wanted.keys()
    open_bundle(tmp_path / "out" / "site" / "bundle")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["site"]  # no temporary folder is left


@pytest.mark.usefixtures("without_npm")
def test_files_that_the_manifest_does_not_name_stay_out(tmp_path):
    bundle = make_bundle(tmp_path / "bundle")
    (bundle / "notes.txt").write_text("mine")
    write_site(bundle, tmp_path / "site")
    assert not list((tmp_path / "site").rglob("notes.txt"))


@pytest.mark.usefixtures("without_npm")
def test_what_is_there_is_left_alone(bundle, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.txt").write_text("kept")
    with pytest.raises(DemoError, match="already exists"):
        write_site(bundle, tmp_path / "site")
    assert contents(tmp_path / "site") == {"mine.txt": b"kept"}


@pytest.mark.usefixtures("without_npm")
def test_a_damaged_or_foreign_bundle_makes_no_site(tmp_path):
    foreign = make_bundle(tmp_path / "foreign", runtime="executorch")
    with pytest.raises(DemoError, match="runtime executorch"):
        write_site(foreign, tmp_path / "site")
    damaged = make_bundle(tmp_path / "damaged")
    data = bytearray((damaged / "model.onnx").read_bytes())
    data[100] ^= 1
    (damaged / "model.onnx").write_bytes(data)
    for path in (damaged, tmp_path / "nowhere"):
        with pytest.raises(BundleError):
            write_site(path, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_the_package_ships_every_file_of_the_room():
    package = ROOT / "src" / "memcom_rank"
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["memcom_rank"]
    shipped = {path for pattern in patterns for path in package.glob(pattern)}
    there = {path for path in (package / "demo").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in there if path.suffix != ".py"} <= shipped


def test_the_page_asks_nobody_else():
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")  # a name, not an address
        assert "http:" not in text, path.name
        assert "https:" not in text, path.name
    assert "default-src 'none'" in (PAGE / "index.html").read_text(encoding="utf-8")


def test_files_of_the_page_are_short():
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in PAGE.iterdir()}
    assert max(lines.values()) <= 300, lines
