"""Runtime (apart): ranks games from a bundle, with onnxruntime and numpy only. A copy of this folder works alone.

Importing it loads the standard library only; `Ranker.load` loads the rest.
"""

from .bundle import Bundle, open_bundle
from .errors import BundleError, HistoryError, RankerError
from .games import Game, Games, pack_games
from .manifest import MAX_HISTORY, FileFacts, Manifest
from .ranker import Ranked, Ranker
from .write import write_bundle

__all__ = [
    "MAX_HISTORY",
    "Bundle",
    "BundleError",
    "FileFacts",
    "Game",
    "Games",
    "HistoryError",
    "Manifest",
    "Ranked",
    "Ranker",
    "RankerError",
    "open_bundle",
    "pack_games",
    "write_bundle",
]
