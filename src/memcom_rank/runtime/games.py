"""Runtime (apart): the list of games. Lines of text -> own ids and titles by number, and numbers by own id or title.

The list stays one piece of text, as large as it is on disk unpacked: games are looked up by scanning it, which takes
microseconds for thousands of games, and milliseconds for a million.
"""

import bisect
import codecs
import re
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

from .errors import BundleError, damaged

FIRST_ID = 2  # 0 is padding, 1 the unknown game
_CHUNK = 1 << 20
_FIELD = rb"(?:[^\\\t\n]++|\\[tn\\])++"
_LINES = re.compile(rb"(?:" + _FIELD + rb"(?:\t" + _FIELD + rb")?\n)*+")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n"}
_UNESCAPES = {escape: character for character, escape in _ESCAPES.items()}


class Game(NamedTuple):
    """A game of the catalogue: the dataset's own id and the title, which may be the same."""

    id: str
    title: str


class Games(Sequence[Game]):
    """The games of a bundle; the game at place i has the id i + 2 in the model.

    Args:
        text: one line per game, `title` or `own id<TAB>title`, escaped; see docs/runtime.md.
        num_games: how many there must be.

    Raises:
        BundleError: another number of games, or lines that are not of this kind.
    """

    def __init__(self, text: bytes, num_games: int) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for first in range(0, len(text), _CHUNK):  # never the whole list a second time
                decoder.decode(text[first : first + _CHUNK])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise damaged(f"the list of games is no UTF-8: {error.reason}", "UTF-8") from error
        if not _LINES.fullmatch(text):
            raise damaged("the list of games has odd lines", "lines of title, or own id, tab and title")
        if (seen := text.count(b"\n")) != num_games:
            raise damaged(f"the list has {seen} games", f"{num_games}, as the manifest says")
        self._text = text
        self._ends = array("I", (match.end() for match in re.finditer(b"\n", text)))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> Game: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Game]: ...
    def __getitem__(self, place: int | slice) -> Game | Sequence[Game]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        return _read(self._text[self._ends[place - 1] if place else 0 : self._ends[place] - 1])

    def __iter__(self) -> Iterator[Game]:
        return (self[place] for place in range(len(self)))

    def with_id(self, own_id: str) -> list[int]:
        """Return the places of the games with this own id: one, or none."""
        field = _escape(own_id)
        return self._lines(field + b"\t") + self._lines(field + b"\n")

    def with_title(self, title: str) -> list[int]:
        """Return the places of the games with exactly this title, which several games may share."""
        field = _escape(title)
        return sorted(self._all(b"\t" + field + b"\n") + self._lines(field + b"\n"))

    def _lines(self, start: bytes) -> list[int]:
        """Return the places of the lines that start like this."""
        return [0] * self._text.startswith(start) + [place + 1 for place in self._all(b"\n" + start)]

    def _all(self, needle: bytes) -> list[int]:
        """Return the places of the lines that the needle begins in."""
        found, at = [], self._text.find(needle)
        while at >= 0:
            found.append(bisect.bisect_right(self._ends, at))
            at = self._text.find(needle, at + 1)
        return found


def pack_games(games: Sequence[tuple[str, str]]) -> bytes:
    """Return games.gz of (own id, title) in the order of the model's ids; equal games are equal bytes.

    Raises:
        BundleError: an own id stands twice, or an id or title is empty or no Unicode.
    """
    seen = set[str]()
    for own_id, title in games:
        if not own_id or not title or own_id in seen:
            raise BundleError(
                f"game {own_id!r} with title {title!r}",
                wanted="own ids that stand once, and titles",
                fix="rebuild the dataset; give a game without a title its own id as title",
            )
        seen.add(own_id)
    lines = (_escape(own_id) + (b"" if own_id == title else b"\t" + _escape(title)) for own_id, title in games)
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL)  # gzip with an mtime of 0
    return packer.compress(b"".join(line + b"\n" for line in lines)) + packer.flush()


def unpack(packed: bytes, size: int) -> bytes:
    """Return what a gzip file of one member holds, without ever unpacking more than it should hold.

    Raises:
        BundleError: it is damaged, does not hold `size` bytes, or goes on behind its end.
    """
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        text = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise damaged(f"the list of games cannot be unpacked: {error}", "a gzip file") from error
    if len(text) != size or not unpacker.eof or unpacker.unused_data:
        raise damaged(
            "the list of games unpacks to more or less than the manifest says", f"a gzip file of {size} bytes"
        )
    return text


def _escape(text: str) -> bytes:
    try:
        return "".join(_ESCAPES.get(character, character) for character in text).encode()
    except UnicodeEncodeError as error:
        raise BundleError(
            f"{text!r} is no Unicode text", wanted="text without lone surrogates", fix="mend the name of the game"
        ) from error


def _read(line: bytes) -> Game:
    own_id, _, title = line.decode().partition("\t")
    return Game(_unescape(own_id), _unescape(title or own_id))


def _unescape(field: str) -> str:
    return re.sub(r"\\.", lambda match: _UNESCAPES[match[0]], field) if "\\" in field else field
