"""Contract room (floor 0): outputs appear whole or not at all.

Everything is written under a temporary name beside its target and renamed; a crash or a full disk leaves the old
state behind. Used by the ETL, reports and predictions.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from memcom_rank.contract.errors import DatasetError, WriteError


def check_new(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that is already there, unless it may be replaced.

    Raises:
        DatasetError: `target` exists and `overwrite` is false.
    """
    if target.exists() and not overwrite:
        raise DatasetError(
            f"'{target}' already exists",
            wanted="a new folder",
            fix="choose another --output, or pass --overwrite to replace it",
        )


@contextlib.contextmanager
def new_folder(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield an empty temporary folder that becomes `target` when the block ends without an error.

    Raises:
        DatasetError: `target` exists and `overwrite` is false.
        WriteError: the disk is full or the place is not writable; nothing is left behind.
    """
    check_new(target, overwrite=overwrite)
    with _write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        with _write_errors(target):
            yield temporary
            temporary.chmod(0o755)
            _swap(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, renamed over it when the block ends without an error.

    Raises:
        WriteError: as for `new_folder`.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")  # another process may write the same
    try:
        with _write_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _swap(temporary: Path, target: Path) -> None:
    """Put `temporary` in the place of `target`; an old target is removed only after the new one stands."""
    if not target.exists():
        temporary.rename(target)
        return
    old = target.with_name(f".{target.name}.old.tmp")
    shutil.rmtree(old, ignore_errors=True)
    target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"cannot write '{target}': {error.strerror or error}",
            wanted="a writable place with free disk space",
            fix="free some space or choose another folder; nothing half-written was left behind",
        ) from error
