"""Runtime (apart): the list of games. Lines of text -> own ids and titles by number, and numbers by own id or title.

The list stays one piece of text, and an index of it 8 bytes per game: a fifth of what dicts of strings would take.
"""

import codecs
import functools
import re
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
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

    def __init__(self, text: bytes | bytearray, num_games: int) -> None:
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
        return _read(self._line(range(len(self))[place]))

    def __iter__(self) -> Iterator[Game]:
        return (self[place] for place in range(len(self)))

    def with_id(self, own_id: str) -> list[int]:
        """Return the places of the games with this own id: one, or none."""
        return self._by_id.places(_escape(own_id, "surrogatepass"))  # which no list holds

    def with_title(self, title: str) -> list[int]:
        """Return the places of the games with exactly this title, which several games may share."""
        return self._by_title.places(_escape(title, "surrogatepass"))

    @functools.cached_property
    def _by_id(self) -> "_Index":
        return _Index(len(self), lambda place: self._line(place).partition(b"\t")[0])

    @functools.cached_property
    def _by_title(self) -> "_Index":
        return _Index(len(self), lambda place: self._line(place).rpartition(b"\t")[2])

    def _line(self, place: int) -> bytes:
        return bytes(self._text[self._ends[place - 1] if place else 0 : self._ends[place] - 1])


class _Index:
    """Places by key, in 8 bytes per key: chains of places whose keys have one hash. Keys are read anew, not kept."""

    def __init__(self, size: int, key: Callable[[int], bytes]) -> None:
        self._key, self._size = key, max(size, 1)
        self._heads, self._follow = array("I", bytes(4 * self._size)), array("I", bytes(4 * self._size))
        for place in reversed(range(size)):  # so that chains lead to later places; 0 ends them
            chain = hash(key(place)) % self._size
            self._follow[place], self._heads[chain] = self._heads[chain], place + 1

    def places(self, key: bytes) -> list[int]:
        """Return the places with this key, in order."""
        found, at = [], self._heads[hash(key) % self._size]
        while at:
            if self._key(at - 1) == key:
                found.append(at - 1)
            at = self._follow[at - 1]
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
    try:
        lines = [_escape(own_id) + (b"" if own_id == title else b"\t" + _escape(title)) for own_id, title in games]
    except UnicodeEncodeError as error:
        raise BundleError(
            f"{error.object!r} is no Unicode text",
            wanted="text without lone surrogates",
            fix="mend the name of the game",
        ) from error
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL)  # gzip with an mtime of 0
    return packer.compress(b"".join(line + b"\n" for line in lines)) + packer.flush()


def unpack(packed: Iterable[bytes], size: int) -> bytearray:
    """Return what a gzip file of one member holds, without ever unpacking more than it should hold.

    Args:
        packed: the file in pieces.
        size: how many bytes it must hold.

    Raises:
        BundleError: it is damaged, does not hold `size` bytes, or goes on behind its end.
    """
    text, filled, behind = bytearray(size), 0, False  # in place: never twice in memory
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        for piece in packed:
            behind = behind or unpacker.eof
            while piece and not unpacker.eof and filled <= size:
                more = unpacker.decompress(piece, _CHUNK)
                text[filled : filled + len(more)] = more
                filled, piece = filled + len(more), unpacker.unconsumed_tail
    except zlib.error as error:
        raise damaged(f"the list of games cannot be unpacked: {error}", "a gzip file") from error
    if filled != size or not unpacker.eof or behind or unpacker.unused_data:
        raise damaged(
            "the list of games unpacks to more or less than the manifest says", f"a gzip file of {size} bytes"
        )
    return text


def _escape(text: str, errors: str = "strict") -> bytes:
    return "".join(_ESCAPES.get(character, character) for character in text).encode(errors=errors)


def _read(line: bytes) -> Game:
    own_id, _, title = line.decode().partition("\t")
    return Game(_unescape(own_id), _unescape(title or own_id))


def _unescape(field: str) -> str:
    return re.sub(r"\\.", lambda match: _UNESCAPES[match[0]], field) if "\\" in field else field
