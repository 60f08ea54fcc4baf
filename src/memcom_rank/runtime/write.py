"""Runtime (apart): writes a bundle, for the exporter and for tests. Files and facts -> a folder, whole or not at all.

Written beside its place under a temporary name, flushed to disk, read back and checked, then renamed.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .bundle import open_bundle
from .errors import BundleError
from .manifest import FORMAT, MANIFEST, VERSION, digest_of, manifest_bytes


def write_bundle(path: str | os.PathLike[str], files: Mapping[str, bytes], fields: Mapping[str, Any]) -> None:
    """Write a bundle to the new folder `path`.

    Args:
        path: the folder; it must not exist.
        files: contents by plain file name: the model, the list of games (`pack_games`), the model card.
        fields: those of `Manifest` except `files` and `digest`, which are found here.

    Raises:
        BundleError: `path` is there already, the fields are not what a reader accepts, or the disk is full or not
            writable. No part of a bundle is left behind then.
    """
    target = Path(os.path.abspath(path))
    data = _manifest(files, fields)
    with _write_errors(target):
        if os.path.lexists(target):
            raise _taken(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
        try:
            for name, content in {**files, MANIFEST: data}.items():
                _write(temporary / name, content)
            _check(temporary)
            temporary.chmod(0o755)
            _flush(temporary)
            if os.path.lexists(target):  # a rename would replace an empty folder
                raise _taken(target)
            temporary.rename(target)
            _flush(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _manifest(files: Mapping[str, bytes], fields: Mapping[str, Any]) -> bytes:
    facts: dict[str, dict[str, Any]] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    for name in facts:
        if name == fields.get("games"):
            facts[name]["unpacked_bytes"] = int.from_bytes(files[name][-4:], "little")  # a gzip file ends with its size
    whole = {"format": FORMAT, "version": VERSION, **fields, "files": facts}
    if any(Path(name).name != name or not name for name in files):
        raise _unfit(f"the file names {sorted(files)}")
    try:
        return manifest_bytes({**whole, "digest": digest_of(whole)})
    except (TypeError, ValueError) as error:
        raise _unfit(f"fields that are no JSON: {error}") from error


def _check(folder: Path) -> None:
    try:
        open_bundle(folder)
    except BundleError as error:
        fix = "no reader takes such a bundle: change what is exported"
        raise BundleError(error.seen, wanted=error.wanted, fix=fix) from error


def _write(place: Path, content: bytes) -> None:
    with place.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some systems cannot open folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _taken(target: Path) -> BundleError:
    return BundleError(
        f"'{target}' already exists", wanted="a new folder", fix="choose another name, or remove it first"
    )


def _unfit(seen: str) -> BundleError:
    return BundleError(seen, wanted="plain names and the fields of a manifest", fix="see docs/runtime.md")


@contextlib.contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(
            f"cannot write '{target}': {error.strerror or error}",
            wanted="a writable place with free disk space",
            fix="free some space or choose another folder; nothing half-written was left behind",
        ) from error
