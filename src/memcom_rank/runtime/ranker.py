"""Runtime (apart): the ranker. A bundle and the games somebody has played -> the games to play next."""

import operator
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from .bundle import Bundle, open_bundle
from .errors import BundleError, HistoryError
from .games import FIRST_ID, Game
from .onnx_file import check_onnx
from .titles import nearest

if TYPE_CHECKING:
    from .onnx_model import Floats, Ints, OnnxModel

GameName = str | int  # an own id or a title; ids that are numbers may be given as such
_COMPARED = 1 << 24  # pairs of a played and a ranked game, of all users that one run of the model takes: 64 MB of fp32


class Ranked(NamedTuple):
    """A game of a ranking: the dataset's own id, the title, and the score, which only orders games."""

    id: str
    title: str
    score: float


class Ranker:
    """Ranks the whole catalogue of a bundle; made by `Ranker.load`.

    Attributes:
        manifest: what the bundle says about itself.
        games: own ids and titles; the game at place i has the id i + 2 in the model.
    """

    def __init__(self, bundle: Bundle, model: "OnnxModel") -> None:
        self.manifest, self.games = bundle.manifest, bundle.games
        self._model = model

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Load the bundle in the folder `path`; nothing in it is executed but its model, by onnxruntime.

        Raises:
            BundleError: no bundle there, it is damaged or hostile, its model is not for onnxruntime, or onnxruntime
                is not installed.
        """
        bundle = open_bundle(path)
        if bundle.manifest.runtime != "onnx":
            raise BundleError(
                f"the bundle's model is for {bundle.manifest.runtime}",
                wanted="a model for onnxruntime",
                fix="export it with --format onnx",
            )
        try:
            from .onnx_model import OnnxModel
        except ImportError as error:
            raise BundleError(
                f"onnxruntime cannot be loaded: {error}",
                wanted="the packages onnxruntime and numpy",
                fix="pip install onnxruntime numpy",
            ) from error
        check_onnx(bundle.model_path)
        model = OnnxModel(bundle.model_path, bundle.manifest.num_games, bundle.manifest.k)
        bundle.check_unchanged(bundle.manifest.model)  # what was loaded is what was checked
        return cls(bundle, model)

    def rank(self, history: Iterable[GameName], k: int = 10, *, skip_unknown: bool = False) -> list[Ranked]:
        """Return the `k` best games for somebody who has played `history`, best first.

        Args:
            history: own ids or titles of games, in order of time where that is known; none is fine.
            k: how many games; fewer are returned where the catalogue has no more.
            skip_unknown: leave out the games that the catalogue does not have.

        Raises:
            HistoryError: the catalogue does not have one of the games, several games have the title, or `k` is out of
                range.
            BundleError: the model does not return a ranking.
        """
        return self.rank_all([history], k, skip_unknown=skip_unknown)[0]

    def rank_all(
        self, histories: Iterable[Iterable[GameName]], k: int = 10, *, skip_unknown: bool = False
    ) -> list[list[Ranked]]:
        """Return what `rank` returns for each of the histories, in runs of a few hundred MB of memory each."""
        import numpy as np

        self._check_k(k)
        users = [self._ids(history, skip_unknown) for history in histories]
        longest = max(map(len, users), default=1) or 1
        at_once = max(1, _COMPARED // (longest * self.manifest.num_games))
        rankings = list[list[Ranked]]()
        for first in range(0, len(users), at_once):
            some = users[first : first + at_once]
            history_BL = np.zeros((len(some), longest), dtype=np.int64)
            for row, ids in enumerate(some):
                history_BL[row, : len(ids)] = ids
            ids_BK, scores_BK = self.rank_ids(history_BL)
            rankings += [self._ranked(*one) for one in zip(ids_BK[:, :k], scores_BK[:, :k], strict=True)]
        return rankings

    def rank_ids(self, history_BL: "Ints") -> "tuple[Ints, Floats]":
        """Run the model itself, on ids in place of names.

        Args:
            history_BL: int64 [B, L], L at least 1; 0 padding, 1 an unknown game, i + 2 the game at place i of `games`.

        Returns:
            Ids int64 and scores float32, both [B, K] with the K of the manifest: the best games that are not of the
            history, best first; where no game is left the id is 0 and the score -inf.

        Raises:
            HistoryError: ids beyond the catalogue, or an array of another kind.
            BundleError: the model does not return a ranking.
        """
        most = self.manifest.num_games + FIRST_ID - 1
        kind, shape = getattr(history_BL, "dtype", type(history_BL).__name__), getattr(history_BL, "shape", ())
        if kind != "int64":
            raise HistoryError(
                f"histories of {kind}", wanted="an array of int64", fix="numpy.asarray(histories, dtype=numpy.int64)"
            )
        if len(shape) != 2 or 0 in shape:
            raise HistoryError(
                f"histories of shape {shape}", wanted="[users, length]", fix="pad with 0 to a length of at least 1"
            )
        if history_BL.min() < 0 or history_BL.max() > most:
            seen = f"ids from {history_BL.min()} to {history_BL.max()}"
            raise HistoryError(seen, wanted=f"0 .. {most}", fix="use 0 for padding and 1 for unknown games")
        return self._model(history_BL)

    def place(self, game: GameName) -> int:
        """Return the place in `games` of the game with this own id, or else with exactly this title.

        Raises:
            HistoryError: no game has it, or several games have the title.
        """
        name = _name(game)
        places = self.games.with_id(name) or self.games.with_title(name)
        if len(places) == 1:
            return places[0]
        if places:
            raise HistoryError(
                f"{len(places)} games are called {name!r}",
                wanted="one game",
                fix=f"give the own id: {', '.join(self.games[place].id for place in places[:5])}",
            )
        near = [game.title for game in self.find(name)]
        raise HistoryError(
            f"no game {name!r}",
            wanted="own ids or titles of the bundle's games"
            + (f", such as {', '.join(map(repr, near))}" if near else ""),
            fix="write it as in the list of games, or leave it out with skip_unknown=True",
        )

    def find(self, typed: str, most: int = 3) -> list[Game]:
        """Return the games whose titles are nearest to what somebody typed, best first; none if none is near."""
        return [self.games[place] for place in nearest(typed, self.games, most)]

    def _ids(self, history: Iterable[GameName], skip_unknown: bool) -> list[int]:
        """Return the distinct ids of a history, in its order."""
        if isinstance(history, str | bytes):
            raise HistoryError(f"the history {history!r}", wanted="a list of games", fix=f"write [{history!r}]")
        places = dict[int, None]()
        for game in history:
            if skip_unknown and not (self.games.with_id(_name(game)) or self.games.with_title(_name(game))):
                continue
            places[self.place(game)] = None
        return [place + FIRST_ID for place in places]

    def _ranked(self, ids: "Sequence[int] | Ints", scores: "Sequence[float] | Floats") -> list[Ranked]:
        return [
            Ranked(*self.games[int(game) - FIRST_ID], float(score))
            for game, score in zip(ids, scores, strict=True)
            if game
        ]

    def _check_k(self, k: int) -> None:
        most = self.manifest.k
        if not _is_whole(k) or k < 1 or (k > most and most < self.manifest.num_games):
            raise HistoryError(f"k = {k!r}", wanted=f"1 .. {most}", fix="the most is chosen when a bundle is exported")


def _is_whole(number: object) -> bool:
    try:
        operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def _name(game: GameName) -> str:
    """Return an own id or title as text; numbers of numpy are numbers too."""
    if isinstance(game, str):
        return game
    try:
        return str(operator.index(game))
    except TypeError:
        raise HistoryError(
            f"a game {game!r}", wanted="an own id or a title", fix="give text or whole numbers"
        ) from None
