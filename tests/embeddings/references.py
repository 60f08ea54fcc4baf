"""Slow, plain twins of the techniques: one id at a time, the formula as the paper writes it, no shared code."""

import torch
from torch import Tensor


def full(state: dict[str, Tensor], i: int) -> Tensor:
    return state["table_VD"][i]


def naive_hash(state: dict[str, Tensor], i: int) -> Tensor:
    num_rows = len(state["rows_MD"])
    game = i - 2
    while game < 0:  # only the unknown id, 1: the row before row 0 is the last
        game += num_rows
    while game >= num_rows:
        game -= num_rows
    return state["rows_MD"][game]


def memcom(state: dict[str, Tensor], i: int) -> Tensor:
    vector = naive_hash(state, i) * state["scale_V"][i]
    return vector + state["bias_V"][i] if "bias_V" in state else vector


def table(reference, state: dict[str, Tensor], num_ids: int) -> Tensor:
    """Every vector, [num_ids, dim]; padding is the zero vector."""
    vectors = [reference(state, i) for i in range(1, num_ids)]
    return torch.stack([torch.zeros_like(vectors[0]), *vectors])


def best_games(scores_BV: Tensor, seen_BL: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best unseen games of each user, by sorting in Python: by score, then by id; padded with 0 and -inf."""
    ids_Bk = torch.zeros(len(scores_BV), k, dtype=torch.int64)
    scores_Bk = torch.full((len(scores_BV), k), -torch.inf, dtype=scores_BV.dtype)
    for user, (scores, seen) in enumerate(zip(scores_BV.tolist(), seen_BL.tolist(), strict=True)):
        games = [game for game in range(2, len(scores)) if game not in seen and scores[game] > -torch.inf]
        best = sorted(games, key=lambda game: (-scores[game], game))[:k]
        ids_Bk[user, : len(best)] = torch.tensor(best, dtype=torch.int64)
        scores_Bk[user, : len(best)] = scores_BV[user, best]
    return ids_Bk, scores_Bk
