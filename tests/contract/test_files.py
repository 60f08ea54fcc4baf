import errno
import os
from pathlib import Path

import pytest

from memcom_rank.contract.errors import DatasetError, WriteError
from memcom_rank.contract.files import check_new, new_file, new_folder

DISK_FULL = OSError(errno.ENOSPC, "No space left on device")


def _write_then_fail(target: Path, error: Exception, *, overwrite: bool = False) -> None:
    with new_folder(target, overwrite=overwrite) as folder:
        (folder / "new").write_text("new")
        raise error


def _write_half(target: Path) -> None:
    with new_file(target) as path:
        path.write_text("half")
        raise DISK_FULL


def test_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    with new_folder(target, overwrite=False) as folder:
        (folder / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert [p.name for p in target.parent.iterdir()] == ["out"]


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    message = r"cannot write .*No space left(.|\n)*free disk space(.|\n)*nothing half-written"
    with pytest.raises(WriteError, match=message):
        _write_then_fail(tmp_path / "out", DISK_FULL)
    assert list(tmp_path.iterdir()) == []


def test_failed_overwrite_keeps_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(WriteError):
        _write_then_fail(target, DISK_FULL, overwrite=True)
    assert [p.name for p in target.iterdir()] == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_failed_swap_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    rename = Path.rename

    def refuse_new(self: Path, to: Path) -> Path:
        if self.name.startswith(".out.") and to == target and (self / "new").exists():
            raise DISK_FULL
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(WriteError), new_folder(target, overwrite=True) as folder:
        (folder / "new").write_text("new")
    assert [p.name for p in target.iterdir()] == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_overwrite_replaces_everything(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    with new_folder(target, overwrite=True) as folder:
        (folder / "new").write_text("new")
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_existing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"already exists(.|\n)*--overwrite"):
        check_new(tmp_path, overwrite=False)
    with pytest.raises(DatasetError, match="already exists"), new_folder(tmp_path, overwrite=False):
        pytest.fail("the block must not run")
    check_new(tmp_path, overwrite=True)


def test_other_errors_pass_and_clean_up(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        _write_then_fail(tmp_path / "out", KeyError("a bug"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_the_parent_is_a_write_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot write"), new_folder(tmp_path / "file" / "out", overwrite=False):
        pytest.fail("the block must not run")


def test_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "report.txt"
    with new_file(target) as path:
        path.write_text("first")
    with pytest.raises(WriteError):
        _write_half(target)
    assert target.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["report.txt"]


def test_two_processes_may_write_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_file(tmp_path / "a") as mine:
        mine.write_text("mine")
        monkeypatch.setattr(os, "getpid", lambda: 1)
        with new_file(tmp_path / "a") as other:
            other.write_text("other")
    assert (tmp_path / "a").read_text() == "mine"
    assert os.listdir(tmp_path) == ["a"]
