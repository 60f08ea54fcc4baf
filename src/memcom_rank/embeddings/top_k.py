"""Embedding room (floor 1): the k best games of a query, exactly.

Takes a trained technique and, if wanted, a score that each game has by itself -> gives an index, built once, that takes
queries and seen games -> gives the best other games and their scores. This file scores all games in tiles, for any
technique; `block_top_k.py` leaves most unscored where games share rows.
"""

import abc
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import diverged
from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID
from memcom_rank.embeddings.base import CompressedEmbedding

MAX_SCORES = 2**22  # users x games looked at together: 16 MB of fp32


class TopK(abc.ABC):
    """Finds the best games of queries, as scoring all games and sorting them would: the same bits, ties included.

    It knows the technique as it is when built: after more training, build another.

    Args:
        embedding: the trained technique.
        game_bias_V: added to the scores of every query; None for nothing.
    """

    def __init__(self, embedding: CompressedEmbedding, game_bias_V: Tensor | None) -> None:
        self.embedding = embedding
        self.game_bias_V = None if game_bias_V is None else game_bias_V.detach()

    @torch.no_grad()
    def __call__(self, queries_BD: Tensor, seen_BL: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Return the k best games of each query that are not seen; padding and the unknown game are no games.

        Args:
            queries_BD: the queries.
            seen_BL: int64 ids that are not wanted, padded with 0.
            k: games wanted, at least 1; may exceed the catalogue.

        Returns:
            ids_Bk (int64) and scores_Bk, best first, of equal scores the lower id first. Where fewer than k games are
            left, or the rest scores -inf, the id is 0 and the score -inf.

        Raises:
            ConfigError: the score of an unseen game is NaN: the model has diverged.
        """
        # all queries at once, as scoring does: the same sums to the last bit
        return self._search(self.embedding.project(queries_BD), seen_BL, k)

    @abc.abstractmethod
    def _search(self, projected_BS: Tensor, seen_BL: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Find the games of projected queries."""


@final
class ScanTopK(TopK):
    """Scores every game, a tile at a time; never queries x catalogue at once. For techniques of any structure."""

    def _search(self, projected_BS: Tensor, seen_BL: Tensor, k: int) -> tuple[Tensor, Tensor]:
        users, size = len(seen_BL), max(MAX_SCORES // max(len(seen_BL), 1), 1)
        best_Bk = projected_BS.new_full((users, k), -torch.inf)
        ids_Bk = seen_BL.new_full((users, k), PADDING_ID)
        for first, tile in zip(range(1, self.embedding.num_ids, size), self.embedding.tiles(size), strict=True):
            scores_BT = tile(projected_BS)
            if self.game_bias_V is not None:
                scores_BT = scores_BT + self.game_bias_V[first : first + scores_BT.shape[1]]
            no_games = max(FIRST_GAME_ID - first, 0)  # the unknown one
            # found before | a column for games before the tile | the tile | a column for games after it
            none_B1 = scores_BT.new_full((users, 1), -torch.inf)
            scores_BC = torch.cat([best_Bk.to(scores_BT.dtype), none_B1, scores_BT, none_B1], dim=1)
            scores_BC[:, k + 1 : k + 1 + no_games] = -torch.inf
            scores_BC.scatter_(1, k + (seen_BL - first + 1).clamp(0, scores_BT.shape[1] + 1), -torch.inf)
            # found before: lower ids, and of equal scores the lower id first; so columns are in order of ids
            columns_Bk = best_columns(scores_BC, k).sort(dim=1).values
            best_Bk, order_Bk = scores_BC.gather(1, columns_Bk).sort(dim=1, descending=True, stable=True)
            if bool(best_Bk.isnan().any()):  # NaN counts as the highest score
                raise diverged()
            columns_Bk = columns_Bk.gather(1, order_Bk)
            before_Bk = ids_Bk.gather(1, columns_Bk.clamp(max=k - 1))
            ids_Bk = before_Bk.where(columns_Bk < k, columns_Bk - (k + 1) + first)
        return ids_Bk.masked_fill(best_Bk == -torch.inf, PADDING_ID), best_Bk


def best_columns(scores_BC: Tensor, k: int) -> Tensor:
    """Return the columns [B, k] of the k highest scores, in any order; of equal scores, the first columns.

    Args:
        scores_BC: the scores.
        k: from 1 to C.
    """
    columns = scores_BC.shape[1]
    if k == columns:
        return torch.arange(k, device=scores_BC.device).expand(scores_BC.shape)
    best_Bn, columns_Bn = scores_BC.topk(k + 1, dim=1)
    tied_B = (best_Bn[:, k - 1] == best_Bn[:, k]) & (best_Bn[:, k] > -torch.inf)
    columns_Bk = columns_Bn[:, :k]
    if bool(tied_B.any()):  # topk takes any of the equal ones
        scores_bC, least_b1 = scores_BC[tied_B], best_Bn[tied_B, k - 1, None]
        column_C = torch.arange(columns, device=scores_BC.device)
        turn_bC = column_C.where(scores_bC == least_b1, columns).where(scores_bC <= least_b1, column_C - columns)
        columns_Bk = columns_Bk.index_put((tied_B,), turn_bC.topk(k, dim=1, largest=False).indices)
    return columns_Bk
