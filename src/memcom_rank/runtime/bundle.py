"""Runtime (apart): reads a bundle. A folder -> its manifest and games, and files that are as they were written.

Nothing is read before its size is checked, nothing is used before its digest is, and whatever is wrong is a
`BundleError`. Standard library only.
"""

import dataclasses
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import BundleError, damaged
from .games import Games, unpack
from .manifest import MANIFEST, MAX_MANIFEST_BYTES, FileFacts, Manifest, parse_manifest

# a link or a pipe in the place of a file is refused, not followed or waited for
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CHUNK = 1 << 16


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle whose files have all been checked. They stay on disk: a model is not held in memory twice.

    Attributes:
        folder: where it lies.
        manifest: what it says about itself.
        games: own ids and titles in the order of the model's ids.
        seen: by file name, what the file system said of the file when it was checked.
    """

    folder: Path
    manifest: Manifest
    games: Games
    seen: Mapping[str, tuple[int, ...]] = dataclasses.field(repr=False)

    @property
    def model_path(self) -> Path:
        """The model's file, for a runtime that reads it by itself; call `check_unchanged` after it has."""
        return self.folder / self.manifest.model

    def read(self, name: str) -> bytes:
        """Return the contents of one of `manifest.files`.

        Raises:
            BundleError: it is no longer what it was.
        """
        return _read(self.folder / name, self.manifest.files[name])

    def check_unchanged(self, name: str) -> None:
        """Check that one of `manifest.files` has not been touched since the bundle was opened.

        Raises:
            BundleError: it has.
        """
        if _look(self.folder / name, self.manifest.files[name].bytes) != self.seen[name]:
            raise damaged(f"'{self.folder / name}' was changed while it was loaded", "a bundle that nobody writes to")


def open_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read and check the bundle in the folder `path`; files that its manifest does not name are left alone.

    Raises:
        BundleError: no bundle there, or anything about it is damaged, hostile or of a newer version.
    """
    folder = Path(path)
    manifest = parse_manifest(_manifest(folder))
    files = manifest.files
    seen = {name: _look(folder / name, facts.bytes) for name, facts in files.items()}  # all sizes before any content
    for name in files:
        for _ in _checked(folder / name, files[name]):
            pass
    text = unpack(_checked(folder / manifest.games, files[manifest.games]), files[manifest.games].unpacked_bytes or 0)
    return Bundle(folder, manifest, Games(text, manifest.num_games), seen)


def _manifest(folder: Path) -> bytes:
    place = folder / MANIFEST
    try:
        size = os.lstat(place).st_size
    except PermissionError as error:
        raise BundleError(
            f"'{folder}' cannot be read: {error.strerror}", wanted="a bundle's folder", fix="ask its owner to share it"
        ) from None
    except (OSError, ValueError):
        raise BundleError(
            f"no bundle at '{folder}': {MANIFEST} is missing",
            wanted="a bundle's folder",
            fix="make one with: python -m memcom_rank export --ckpt_path RUN --output bundle/",
        ) from None
    if size > MAX_MANIFEST_BYTES:
        raise damaged(f"'{place}' has {size} bytes", f"at most {MAX_MANIFEST_BYTES}")
    _look(place, size)
    return b"".join(_chunks(place, size))


def _look(place: Path, size: int) -> tuple[int, ...]:
    """Check kind and size without opening; return what changes when the file does."""
    try:
        seen = os.lstat(place)
    except OSError as error:
        raise damaged(f"'{place}' cannot be read: {error.strerror}", "all files that the manifest names") from error
    if not stat.S_ISREG(seen.st_mode):
        raise damaged(
            f"'{place}' is no plain file", "files, not links, folders or devices (cp -L copies links as files)"
        )
    if seen.st_size != size:
        raise damaged(f"'{place}' has {seen.st_size} bytes", f"{size} bytes, as the manifest says")
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _read(place: Path, facts: FileFacts) -> bytes:
    _look(place, facts.bytes)
    return b"".join(_checked(place, facts))


def _checked(place: Path, facts: FileFacts) -> Iterator[bytes]:
    """Yield the contents in pieces, and raise at the end unless they are what the manifest says."""
    digest = hashlib.sha256()
    for chunk in _chunks(place, facts.bytes):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != facts.sha256:
        raise damaged(f"'{place}' is damaged: its sha256 is {digest.hexdigest()}", facts.sha256)


def _chunks(place: Path, size: int) -> Iterator[bytes]:
    """Yield exactly `size` bytes, or raise."""
    left = size
    try:
        with open(place, "rb", opener=lambda name, flags: os.open(name, flags | _FLAGS)) as file:
            while chunk := file.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
    except OSError as error:
        raise damaged(f"'{place}' cannot be read: {error.strerror}", "a file that may be read") from error
    if left:
        raise damaged(f"'{place}' changed while it was read", f"{size} bytes")
