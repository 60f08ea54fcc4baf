"""Embedding room (floor 1): the k best games of a query where games share rows, exactly, most games left unscored.

Takes a technique's linear form -> gives an index of blocks: games of one row that are alike in what else their scores
are made of. A query's bound of a block is computed as a score is, from the block's extreme terms; what is bounded below
k games already found stays closed. The proof is in docs/output_structure.md.
"""

from collections.abc import Callable
from typing import NamedTuple, Self, final

import torch
from torch import Tensor

from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID
from memcom_rank.embeddings.base import CompressedEmbedding
from memcom_rank.embeddings.shared_rows import SharedRowEmbedding
from memcom_rank.embeddings.top_k import MAX_SCORES, ScanTopK, TopK, best_columns

_FEW = 2**14  # ids up to which a pass over all games is as fast, docs/output_structure.md
_BLOCK = 64  # games at most; fewer tighten bounds that are tight already, and cost time
_MANY = 1 / 8  # share of the blocks from which on scoring all games in their own order is faster


def top_k_index(embedding: CompressedEmbedding, game_bias_V: Tensor | None = None) -> TopK:
    """Return the index that is fastest for a technique and a catalogue.

    Args:
        embedding: the trained technique.
        game_bias_V: added to the scores of every query; None for nothing.
    """
    if isinstance(embedding, SharedRowEmbedding) and embedding.num_ids > _FEW:
        return BlockTopK(embedding, game_bias_V)
    return ScanTopK(embedding, game_bias_V)


class _Terms(NamedTuple):
    """What scores are made of beside dot products; None for a term that they have not."""

    scale: Tensor
    offset: Tensor | None
    bias: Tensor | None

    def each(self, change: Callable[[Tensor], Tensor]) -> Self:
        offset, bias = (None if term is None else change(term) for term in self[1:])
        return self._replace(scale=change(self.scale), offset=offset, bias=bias)


@final
class BlockTopK(TopK):
    """Bounds the scores of blocks of games, and scores the games of those blocks alone that can hold a best one.

    Keeps every game's id and scalars a second time, in order of blocks.

    Args:
        embedding: the trained technique.
        game_bias_V: added to the scores of every query; None for nothing.
    """

    def __init__(self, embedding: SharedRowEmbedding, game_bias_V: Tensor | None) -> None:
        super().__init__(embedding, game_bias_V)
        self._scan = ScanTopK(embedding, game_bias_V)
        row_V, scale_V, offset_V = embedding.linear_form()
        terms = _Terms(scale_V, offset_V, game_bias_V).each(Tensor.detach)
        # biases, of popularity, differ most between games of a row
        self._ids_NS, self._row_N = _blocks(row_V, terms.scale if terms.bias is None else terms.bias)
        self._first_N = _lowest(self._ids_NS)
        real_NS = self._ids_NS.where(self._ids_NS != PADDING_ID, self._first_N[:, None])
        self._terms_NS = terms.each(lambda term_V: term_V[real_NS])
        self._low_N = self._terms_NS.each(lambda term_NS: term_NS.amin(1))
        self._high_N = self._terms_NS.each(lambda term_NS: term_NS.amax(1))

    def _search(self, projected_BS: Tensor, seen_BL: Tensor, k: int) -> tuple[Tensor, Tensor]:
        users = max(MAX_SCORES // self.embedding.num_ids, 1)
        parts = zip(torch.split(projected_BS, users), torch.split(seen_BL, users), strict=True)
        ids, scores = zip(*(self._search_few(*part, k) for part in parts), strict=True)
        return torch.cat(ids), torch.cat(scores)

    def _search_few(self, projected_BS: Tensor, seen_BL: Tensor, k: int) -> tuple[Tensor, Tensor]:
        bounds_BN, seen = self._bounds(projected_BS), _Seen(seen_BL, self.embedding.num_ids)
        if bool(bounds_BN.amax(1).isnan().any()):
            return self._scan._search(projected_BS, seen_BL, k)  # refuses NaN, unless those games are seen
        # a first look at some blocks: k unseen games say what others have to beat
        look = min(k + seen_BL.shape[1] * len(self._ids_NS) // self.embedding.num_ids, len(self._ids_NS))
        least_B, last_B = self._worst(projected_BS, best_columns(bounds_BN, look), seen, k)
        if bool(least_B.isnan().any()):  # no bound would be above it
            return self._scan._search(projected_BS, seen_BL, k)
        user_N, block_N = (bounds_BN >= least_B[:, None]).nonzero(as_tuple=True)
        can_N = (bounds_BN[user_N, block_N] > least_B[user_N]) | (self._first_N[block_N] <= last_B[user_N])
        open_N = can_N.nonzero()[:, 0]
        if len(open_N) > bounds_BN.numel() * _MANY:
            return self._scan._search(projected_BS, seen_BL, k)
        user_N, ids_N, scores_N = self._open(projected_BS, user_N[open_N], block_N[open_N])
        if bool(scores_N.isnan().any()):  # infinite terms may cancel in a score and not in its bound
            return self._scan._search(projected_BS, seen_BL, k)
        good_N = ((scores_N >= least_B[user_N]) & (scores_N > -torch.inf)).nonzero()[:, 0]
        keep_N = good_N[~seen.has(user_N[good_N], ids_N[good_N])]
        return _ranked(user_N[keep_N], ids_N[keep_N], scores_N[keep_N], len(seen_BL), k)

    def _worst(self, projected_BS: Tensor, blocks_Bn: Tensor, seen: "_Seen", k: int) -> tuple[Tensor, Tensor]:
        """Return what k unseen games of these blocks reach: score [B], and the highest id needed to reach it [B]."""
        users, width = len(blocks_Bn), blocks_Bn.shape[1] * self._ids_NS.shape[1]
        user_B = torch.arange(users, device=blocks_Bn.device)
        user_N, ids_N, scores_N = self._open(projected_BS, user_B.repeat_interleave(blocks_Bn.shape[1]), blocks_Bn)
        scores_BC = scores_N.masked_fill(seen.has(user_N, ids_N), -torch.inf).view(users, width)
        if width < k:
            return scores_BC.new_full((users,), -torch.inf), ids_N.new_full((users,), self.embedding.num_ids)
        least_B = scores_BC.topk(k, dim=1).values[:, -1]
        ids_BC = ids_N.view(users, width).masked_fill(scores_BC != least_B[:, None], self.embedding.num_ids)
        return least_B, ids_BC.topk(k, dim=1, largest=False).values[:, -1]

    def _bounds(self, projected_BS: Tensor) -> Tensor:
        """Return [B, N] what no score of a block's games exceeds, to the last bit: rounding is monotone."""
        dots_BN = projected_BS.index_select(1, self._row_N)
        bounds_BN = torch.maximum(dots_BN * self._high_N.scale, dots_BN * self._low_N.scale)
        if self._high_N.offset is not None and self._low_N.offset is not None:
            sum_B1 = projected_BS[:, -1:]
            bounds_BN = bounds_BN + torch.maximum(sum_B1 * self._high_N.offset, sum_B1 * self._low_N.offset)
        return bounds_BN if self._high_N.bias is None else bounds_BN + self._high_N.bias

    def _open(self, projected_BS: Tensor, users: Tensor, blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return users, ids and scores of all games of blocks, [blocks x S] each, with padding."""
        block_N = blocks.reshape(-1)
        terms = self._terms_NS.each(lambda term_NS: term_NS.index_select(0, block_N))
        scores_NS = projected_BS[users, self._row_N[block_N]][:, None] * terms.scale
        if terms.offset is not None:
            scores_NS = scores_NS + projected_BS[users, -1][:, None] * terms.offset
        if terms.bias is not None:
            scores_NS = scores_NS + terms.bias
        return (
            users.repeat_interleave(scores_NS.shape[1]),
            self._ids_NS.index_select(0, block_N).flatten(),
            scores_NS.flatten(),
        )


class _Seen:
    """Whether users have seen games; padding all have."""

    def __init__(self, seen_BL: Tensor, num_ids: int) -> None:
        self._num_ids = num_ids
        first_B1 = torch.arange(len(seen_BL), device=seen_BL.device)[:, None] * num_ids
        nobodys = seen_BL.new_tensor([len(seen_BL) * num_ids])  # so that a search ends inside
        self._keys_N = torch.cat([(first_B1 + seen_BL).flatten(), first_B1.flatten() + PADDING_ID, nobodys]).sort()[0]

    def has(self, user_N: Tensor, ids_N: Tensor) -> Tensor:
        keys_N = user_N * self._num_ids + ids_N
        return self._keys_N[torch.searchsorted(self._keys_N, keys_N)] == keys_N


def _blocks(row_V: Tensor, key_V: Tensor) -> tuple[Tensor, Tensor]:
    """Divide the games of each row, in order of a key, into blocks: ids [N, S], padded with 0, and rows [N].

    Blocks are in order of their lowest id.
    """
    row_G, key_G = row_V[FIRST_GAME_ID:].long(), key_V[FIRST_GAME_ID:]
    order_G = key_G.argsort(descending=True, stable=True)
    order_G = order_G[row_G[order_G].argsort(stable=True)]
    games_M = torch.bincount(row_G)
    width = min(_BLOCK, int(games_M.max()))
    blocks_M = -(-games_M // width)
    place_G = _places(row_G[order_G], games_M)
    slot_G = (blocks_M.cumsum(0) - blocks_M)[row_G[order_G]] * width + place_G
    ids_NS = torch.full((int(blocks_M.sum()) * width,), PADDING_ID, device=row_G.device)
    ids_NS = ids_NS.index_put((slot_G,), order_G + FIRST_GAME_ID).view(-1, width)
    row_N = torch.arange(len(blocks_M), device=row_G.device).repeat_interleave(blocks_M)
    order_N = _lowest(ids_NS).argsort()
    return ids_NS[order_N], row_N[order_N]


def _lowest(ids_NS: Tensor) -> Tensor:
    return ids_NS.where(ids_NS != PADDING_ID, ids_NS.amax(1, keepdim=True)).amin(1)


def _places(group_N: Tensor, counts_M: Tensor) -> Tensor:
    """Return where, from 0, each element stands in its group; groups are sorted, and have so many elements."""
    return torch.arange(len(group_N), device=group_N.device) - (counts_M.cumsum(0) - counts_M)[group_N]


def _ranked(user_N: Tensor, ids_N: Tensor, scores_N: Tensor, num_users: int, k: int) -> tuple[Tensor, Tensor]:
    """Return the k best of each user, ids and scores [B, k]: by score, then by id."""
    order_N = ids_N.argsort()
    order_N = order_N[scores_N[order_N].argsort(descending=True, stable=True)]
    order_N = order_N[user_N[order_N].argsort(stable=True)]
    place_N = _places(user_N[order_N], torch.bincount(user_N, minlength=num_users))
    order_N, place_N = order_N[place_N < k], place_N[place_N < k]
    ids_Bk, scores_Bk = ids_N.new_full((num_users, k), PADDING_ID), scores_N.new_full((num_users, k), -torch.inf)
    best = (user_N[order_N], place_N)
    return ids_Bk.index_put(best, ids_N[order_N]), scores_Bk.index_put(best, scores_N[order_N])
