"""Command line (floor 5): `python -m memcom_rank rank`, the games to play next from a bundle, in the terminal.

Takes a bundle and titles as people type them -> gives a table, and says what each title was taken for.
"""

from collections.abc import Sequence
from pathlib import Path

from memcom_rank.runtime import Game, HistoryError, Ranked, Ranker


def rank(bundle: Path, typed: Sequence[str], k: int | None = None) -> str:
    """Return a table of the `k` best games, by default 10, for somebody who has played the `typed` ones.

    Raises:
        BundleError: no bundle there, or it is damaged.
        HistoryError: nothing in the catalogue is near one of the titles, or `k` is out of range.
    """
    ranker = Ranker.load(bundle)
    meant = [_meant(ranker, title) for title in typed]
    ranking = ranker.rank([games[0].id for games in meant], min(10, ranker.manifest.k) if k is None else k)
    width = max(len(_shown(title)) for title in typed)
    played = [_played(title, games, width) for title, games in zip(typed, meant, strict=True)]
    return "\n".join(["played", *played, "", *_table(ranking)])


def _meant(ranker: Ranker, typed: str) -> list[Game]:
    """Return the game that was typed, or else what it may be; of several of one title the most popular."""
    games = ranker.games
    if exact := games.with_id(typed) or games.with_title(typed):
        return [games[exact[0]]]
    if near := ranker.find(typed):
        return near
    raise HistoryError(
        f"no game of the bundle is near '{_shown(typed)}'",
        wanted="a title, or a part of one",
        fix="try another spelling, or leave it out",
    )


def _played(typed: str, games: Sequence[Game], width: int) -> str:
    if typed in games[0]:
        return f"  {_named(*games[0])}"
    others = f"   (not: {', '.join(_named(*game) for game in games[1:])})" if games[1:] else ""
    return f"  {_shown(typed):<{width}}  taken for  {_named(*games[0])}{others}"


def _table(ranking: Sequence[Ranked]) -> list[str]:
    head = "rank     score  game"
    rows = [
        f"{place:>4}{score:>10.4f}  {_named(own_id, title)}" for place, (own_id, title, score) in enumerate(ranking, 1)
    ]
    rows = rows or ["no game is left to rank"]
    line = "-" * max(map(len, [head, *rows]))
    return [head, line, *rows, line]


def _named(own_id: str, title: str) -> str:
    return _shown(title) if own_id == title else f"{_shown(title)} [{_shown(own_id)}]"


def _shown(text: str) -> str:
    """Show a stranger's text without what would move the cursor or colour the terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
