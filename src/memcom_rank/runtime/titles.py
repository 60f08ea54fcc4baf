"""Runtime (apart): titles as people type them. Typed text -> the games it may mean, best first."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from .games import Game

_NEAR = 0.75  # of difflib's ratio: a typo in a short title, two or three in a long one
_LETTERS = 3  # that are a part of a title; of writing without spaces one will do
_WORD = re.compile(r"\w+")


def plain(title: str) -> str:
    """Return a title without case, accents, punctuation and signs: "PORTAL™ 2: Épisode" -> "portal 2 episode"."""
    if not title.isascii():
        letters = unicodedata.normalize("NFKD", re.sub("[™®]", "", title))
        title = "".join(letter for letter in letters if not unicodedata.combining(letter)).replace("\u2019", "'")
    return " ".join(_WORD.findall(title.casefold().replace("&", " and ").replace("'", "")))


def nearest(typed: str, games: Sequence[Game], most: int) -> list[int]:
    """Return the places of the games whose titles are nearest to what was typed, best first; none if none is near.

    Equal but for case and signs comes first, then titles that hold its words, then those that hold its letters in
    a row, then those that difflib finds alike; of equals the more popular game.
    """
    wanted = plain(typed) or typed
    words, letters = f" {wanted} ", Counter(wanted)
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    found = list[tuple[float, int]]()
    for place, game in enumerate(games):
        title = plain(game.title)
        if words in f" {title} ":
            found.append((-4.0 if title == wanted else -3.0, place))
            continue
        if len(wanted) >= (_LETTERS if wanted.isascii() else 1) and wanted in title:
            found.append((-2.0, place))
            continue
        least = _NEAR * (len(title) + len(wanted)) / 2  # letters that both must have, of which most titles fall short
        if len(title) >= least and sum(min(title.count(one), times) for one, times in letters.items()) >= least:
            matcher.set_seq1(title)
            found.append((-matcher.ratio(), place))
    return [place for rank, place in sorted(found) if rank <= -_NEAR][:most]
