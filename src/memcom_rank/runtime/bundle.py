"""Runtime (apart): reads a bundle. A folder -> its manifest, its games and the bytes of its files, all checked.

Nothing is read before its size is checked, nothing is used before its digest is, and whatever is wrong is a
`BundleError`. Standard library only.
"""

import dataclasses
import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from .errors import BundleError, damaged
from .games import Games, unpack
from .manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, parse_manifest

# a link or a pipe in the place of a file is refused, not followed or waited for
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle in memory, as it was written.

    Attributes:
        manifest: what it says about itself.
        games: own ids and titles in the order of the model's ids.
        contents: the bytes of each of `manifest.files`.
    """

    manifest: Manifest
    games: Games
    contents: Mapping[str, bytes]

    @property
    def model(self) -> bytes:
        """The model's file."""
        return self.contents[self.manifest.model]


def open_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read and check the bundle in the folder `path`; files that its manifest does not name are left alone.

    Raises:
        BundleError: no bundle there, or anything about it is damaged, hostile or of a newer version.
    """
    folder = Path(path)
    manifest = parse_manifest(_manifest(folder))
    sizes = {name: facts.bytes for name, facts in manifest.files.items()}
    for name, size in sizes.items():  # all sizes before any content
        _check_size(folder / name, size)
    contents = {name: _read(folder / name, size) for name, size in sizes.items()}
    for name, facts in manifest.files.items():
        if hashlib.sha256(contents[name]).hexdigest() != facts.sha256:
            raise damaged(f"'{folder / name}' is damaged: its sha256 differs", facts.sha256)
    unpacked_bytes = manifest.files[manifest.games].unpacked_bytes or 0
    text = unpack(contents[manifest.games], unpacked_bytes)
    if len(text) != unpacked_bytes:
        raise damaged(f"the list of games has {len(text)} bytes unpacked", f"{unpacked_bytes}, as the manifest says")
    return Bundle(manifest, Games(text, manifest.num_games), contents)


def _manifest(folder: Path) -> bytes:
    place = folder / MANIFEST
    try:
        size = os.lstat(place).st_size
    except (OSError, ValueError):
        raise BundleError(
            f"no bundle at '{folder}': {MANIFEST} is missing",
            wanted="a bundle's folder",
            fix="make one with: python -m memcom_rank export --ckpt_path RUN --output bundle/",
        ) from None
    if size > MAX_MANIFEST_BYTES:
        raise damaged(f"'{place}' has {size} bytes", f"at most {MAX_MANIFEST_BYTES}")
    _check_size(place, size)
    return _read(place, size)


def _check_size(place: Path, size: int) -> None:
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


def _read(place: Path, size: int) -> bytes:
    try:
        with open(place, "rb", opener=lambda name, flags: os.open(name, flags | _FLAGS)) as file:
            content = file.read(size + 1)
    except OSError as error:
        raise damaged(f"'{place}' cannot be read: {error.strerror}", "a file that may be read") from error
    if len(content) != size:
        raise damaged(f"'{place}' changed while it was read", f"{size} bytes")
    return content
