import errno
import os
import shutil

import pytest

from memcom_rank.runtime import BundleError, open_bundle, pack_games
from memcom_rank.runtime.bundle import _chunks
from tests.runtime.bundles import FIELDS, GAMES, files, write


@pytest.fixture
def copy(bundle, tmp_path):
    return shutil.copytree(bundle, tmp_path / "copy")


def test_a_bundle_is_read(bundle):
    read = open_bundle(str(bundle))
    assert list(read.games) == GAMES
    assert read.manifest.technique == "Full"
    assert {name: read.read(name) for name in read.manifest.files} == files()
    assert read.model_path == bundle / "model.onnx"


def test_files_that_the_manifest_does_not_name_are_left_alone(copy):
    (copy / ".DS_Store").write_bytes(b"x")
    (copy / "folder").mkdir()
    assert open_bundle(copy).manifest.num_games == len(GAMES)


@pytest.mark.parametrize("path", ["nowhere", "", "a\x00b", "x" * 5000])
def test_no_bundle(path, tmp_path):
    with pytest.raises(BundleError, match=r"no bundle at .*\n.*\n.*memcom_rank export"):
        open_bundle(tmp_path / path)


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "games.gz", "README.md"])
class TestAFile:
    def test_missing(self, copy, name):
        (copy / name).unlink()
        with pytest.raises(BundleError, match=name):
            open_bundle(copy)

    @pytest.mark.parametrize(
        "change", [lambda c: c[:-1], lambda c: c + b"\n", lambda c: b"\x00" + c[1:], lambda c: b""]
    )
    def test_changed(self, copy, name, change):
        (copy / name).write_bytes(change((copy / name).read_bytes()))
        with pytest.raises(BundleError, match=name):
            open_bundle(copy)

    def test_a_link_even_to_the_right_contents(self, copy, name, tmp_path):
        (copy / name).rename(tmp_path / "elsewhere")
        (copy / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(BundleError, match="no plain file"):
            open_bundle(copy)

    def test_a_folder_a_pipe_a_device(self, copy, name):
        (copy / name).unlink()
        (copy / name).mkdir()
        with pytest.raises(BundleError, match="no plain file"):
            open_bundle(copy)
        (copy / name).rmdir()
        os.mkfifo(copy / name)
        with pytest.raises(BundleError, match="no plain file"):
            open_bundle(copy)
        (copy / name).unlink()
        (copy / name).symlink_to("/dev/zero")
        with pytest.raises(BundleError, match="no plain file"):
            open_bundle(copy)

    def test_longer_than_it_says(self, copy, name):
        os.truncate(copy / name, 1 << 40)  # a hole: no disk is used, and nothing of it is read
        with pytest.raises(BundleError, match=f"has {1 << 40} bytes"):
            open_bundle(copy)


def test_sizes_come_before_contents(copy):
    (copy / "model.onnx").write_bytes(bytes((copy / "model.onnx").stat().st_size))
    (copy / "README.md").write_bytes(b"")
    with pytest.raises(BundleError, match=r"README.md' has 0 bytes"):
        open_bundle(copy)


def test_swapped_files(copy):
    (copy / "README.md").rename(copy / "x")
    (copy / "games.gz").rename(copy / "README.md")
    (copy / "x").rename(copy / "games.gz")
    with pytest.raises(BundleError, match="bytes, as the manifest says"):
        open_bundle(copy)


def test_games_of_another_number(tmp_path):
    write(tmp_path / "b", {**files(), "games.gz": pack_games(GAMES[1:])})
    with pytest.raises(BundleError, match="list has 11 games"):
        open_bundle(tmp_path / "b")


def test_a_size_that_the_games_do_not_have(tmp_path):
    write(tmp_path / "b", files(), FIELDS, games_gz={"unpacked_bytes": 30})
    with pytest.raises(BundleError, match="unpacks to more or less"):
        open_bundle(tmp_path / "b")


def test_what_changes_later_is_seen(copy):
    read = open_bundle(copy)
    read.check_unchanged("model.onnx")
    content = (copy / "model.onnx").read_bytes()
    (copy / "other").write_bytes(content)
    (copy / "other").replace(copy / "model.onnx")
    with pytest.raises(BundleError, match="changed while it was loaded"):
        read.check_unchanged("model.onnx")
    assert read.read("model.onnx") == content
    (copy / "model.onnx").write_bytes(bytes(len(content)))
    with pytest.raises(BundleError, match="is damaged"):
        read.read("model.onnx")


def test_a_change_in_place_is_seen_even_with_its_time_put_back(copy):
    model = copy / "model.onnx"
    read, before = open_bundle(copy), model.stat()
    model.write_bytes(bytes(before.st_size))
    while model.stat().st_ctime_ns == before.st_ctime_ns or model.stat().st_mtime_ns != before.st_mtime_ns:
        os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(BundleError, match="changed while it was loaded"):
        read.check_unchanged("model.onnx")


def test_a_folder_that_may_not_be_entered(copy, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "lstat", refuse)
    with pytest.raises(BundleError, match=r"(?s)cannot be read: Permission denied.*owner"):
        open_bundle(copy)


def test_a_file_that_may_not_be_read(copy, monkeypatch):
    def refuse(name, flags):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BundleError, match="Permission denied"):
        open_bundle(copy)


@pytest.mark.parametrize("size", [3, 5])
def test_a_file_that_grows_or_shrinks_while_it_is_read(size, tmp_path):
    (tmp_path / "file").write_bytes(b"four")
    with pytest.raises(BundleError, match="changed while it was read"):
        list(_chunks(tmp_path / "file", size))
    assert list(_chunks(tmp_path / "file", 4)) == [b"four"]
