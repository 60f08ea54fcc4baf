"""Runtime (apart): titles as people type them. Typed text -> the games it may mean, best first."""

import difflib
import re
import unicodedata
from collections.abc import Sequence

from .games import Game

_NEAR = 0.75  # of difflib's ratio: a typo in a short title, two or three in a long one


def plain(title: str) -> str:
    """Return a title without case, accents, punctuation and signs: "PORTAL™ 2: Épisode" -> "portal 2 episode"."""
    letters = unicodedata.normalize("NFKD", re.sub("[™®]", "", title)).casefold()
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.findall(r"\w+", re.sub("['\u2019]", "", letters.replace("&", " and "))))


def nearest(typed: str, games: Sequence[Game], most: int) -> list[int]:
    """Return the places of the games whose titles are nearest to what was typed, best first; none if none is near.

    Equal but for case and signs comes first, then titles that begin with it, that hold its words, then those that
    difflib finds alike; of equals the more popular game.
    """
    wanted = plain(typed) or typed
    words = f" {wanted} "
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    found = list[tuple[float, int]]()
    for place, game in enumerate(games):
        title = plain(game.title)
        if title == wanted:
            found.append((-4.0, place))
        elif f" {title} ".startswith(words):
            found.append((-3.0, place))
        elif words in f" {title} ":
            found.append((-2.0, place))
        else:
            matcher.set_seq1(title)
            if matcher.real_quick_ratio() >= _NEAR and matcher.quick_ratio() >= _NEAR:
                found.append((-matcher.ratio(), place))
    return [place for rank, place in sorted(found) if rank <= -_NEAR][:most]
