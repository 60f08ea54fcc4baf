"""Callbacks room (floor 4): in which slices of the test users a user is, by history and by held-out games or label.

Takes batches of test users -> gives the columns `history_length`, and `popularity` or `label`, of users_test.parquet;
takes these -> gives the users of each slice. Shapes: N users, G games.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from memcom_rank.contract.schemas import PADDING_ID, UNKNOWN_ID
from memcom_rank.data import LabelBatch, QueryBatch, RankingDataset

HEAD, MIDDLE, TAIL, UNKNOWN = "head", "middle", "tail", "unknown"
_POPULARITY = {
    HEAD: "held-out game: head",
    MIDDLE: "held-out game: middle",
    TAIL: "held-out game: tail",
    UNKNOWN: "held-out game: unknown",
}
_HISTORY = {  # name: (label, least and greatest history length)
    "cold": ("history: none, a cold user", 0, 0),
    "history_1-2": ("history: 1-2 games", 1, 2),
    "history_3-5": ("history: 3-5 games", 3, 5),
    "history_6-20": ("history: 6-20 games", 6, 20),
    "history_21+": ("history: 21 games and more", 21, np.inf),
}
_LABEL = "label_"  # before the names of the slices by label
MOST_LABELS = 10  # that are shown, the most frequent
SLICES = {**_POPULARITY, **{name: label for name, (label, _, _) in _HISTORY.items()}}  # name in keys: words in tables


def slice_facts(batch: QueryBatch | LabelBatch) -> dict[str, Tensor]:
    """Return what decides in which slices the users of a batch are, int64 [B] each."""
    length_B = history_lengths(batch.history)
    if isinstance(batch, LabelBatch):
        return {"history_length": length_B, "label": batch.labels}
    return {"history_length": length_B, "middle_game": middle_games(batch.targets)}


def slice_columns(dataset: RankingDataset, facts: Mapping[str, NDArray[np.int64]]) -> dict[str, pa.Array]:
    """Return the columns of users_test.parquet for the facts of `slice_facts`, [N] each."""
    columns = {"history_length": pa.array(facts["history_length"])}
    if "label" in facts:
        return columns | {"label": pa.array(dataset.manifest.labels).take(pa.array(facts["label"]))}
    popularity_G = dataset.games()["popularity"].to_numpy()
    return columns | {"popularity": pa.array(popularity_slices(popularity_G, facts["middle_game"]))}


def history_lengths(history_BL: Tensor) -> Tensor:
    """Return how many games the ranker sees of each user, int64 [B]."""
    return (history_BL != PADDING_ID).sum(1)


def middle_games(targets_BT: Tensor) -> Tensor:
    """Return the middle one of each user's held-out games in order of popularity, int64 [B].

    Of two the less popular one. The unknown game counts as the least popular.
    """
    last = torch.iinfo(targets_BT.dtype).max
    # ids go by descending popularity, and padding, 0, comes last here
    rarest_first_BT = targets_BT.masked_fill(targets_BT == UNKNOWN_ID, last).sort(1, descending=True).values
    middle_B1 = ((targets_BT != PADDING_ID).sum(1, keepdim=True) - 1) // 2
    games_B = rarest_first_BT.gather(1, middle_B1)[:, 0]
    return games_B.masked_fill(games_B == last, UNKNOWN_ID)


def popularity_slices(popularity_G: NDArray[np.int64], ids_N: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return "head", "middle", "tail" or "unknown" for games.

    Games in order of id hold the first, second and last third of all training rows; a game belongs to the third in
    which its own rows begin.

    Args:
        popularity_G: training users of every game of the catalogue, in order of id.
        ids_N: unknown games, or games of the catalogue.
    """
    before_G = popularity_G.cumsum() - popularity_G
    third_G = np.minimum(3 * before_G // max(popularity_G.sum(), 1), 2)
    names_U = np.concatenate([[UNKNOWN], np.array([HEAD, MIDDLE, TAIL])[third_G]])
    found_N: NDArray[np.str_] = names_U[ids_N - UNKNOWN_ID]
    return found_N


def slice_members(users: pa.Table) -> dict[str, NDArray[np.bool_]]:
    """Return which rows of users_test.parquet are in each slice, bool [N].

    A user is in one slice of history length, and in one of popularity or, if its label is frequent, of label.
    """
    length_N = users["history_length"].to_numpy()
    if "label" in users.column_names:
        label_N = users["label"].to_numpy()
        names, counts = np.unique(label_N, return_counts=True)
        first = {f"{_LABEL}{name}": label_N == name for name in names[np.argsort(-counts, kind="stable")][:MOST_LABELS]}
    else:
        popularity_N = users["popularity"].to_numpy()
        first = {name: popularity_N == name for name in _POPULARITY}
    return {
        **first,
        **{name: (least <= length_N) & (length_N <= most) for name, (_, least, most) in _HISTORY.items()},
    }


def slice_words(name: str) -> str:
    """Return what tables call a slice."""
    return f"label: {name.removeprefix(_LABEL)}" if name.startswith(_LABEL) else SLICES[name]
