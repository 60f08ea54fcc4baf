"""Embedding room (floor 1): a game is a sum of shared rows, named by learned codes: emb(i) = V[i] * sum_s C_s[c_s(i)].

The codes are residual: the first names the cluster of a game among all games, each further one the cluster of what is
left. Learned once, before training, from the games' factors (RecJPQ, Petrov and Macdonald 2024, arXiv 2312.06165;
residual quantisation as in Babenko and Lempitsky 2014); then the rows, in few bits, and the multiplier V, which is
MEmCom's (arXiv 2203.10135), are trained with the model.
"""

from functools import partial
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.bag import scores_of_bags
from memcom_rank.embeddings.base import CompressedEmbedding
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.clustering import game_factors, kmeans
from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.low_bit_scalars import LowBitScalars
from memcom_rank.embeddings.tables import Tile

_FACTORS = 64  # of the SVD in which games are clustered


@final
class ResidualCodes(CompressedEmbedding):
    """`num_codes` codebooks of K rows each, K solved; every id is a code in each.

    Bytes: S K rows of `bits` a value with a step each, S codes of ceil(log2 K) bits per id and, with `multiplier`, a
    byte per id and one step.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        num_codes: codebooks S, at least 1; 1 is a learned bucket map.
        bits: 1, 2, 3, 4 or 8 per value of a codebook.
        multiplier: whether each id has a scalar of its own, in 8 bits.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: codebooks of one row do not fit.
        ConfigError: `num_codes` below 1, or another number of bits; the size knob is missing, doubled or out of range.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        num_codes: int = 8,
        bits: int = 8,
        multiplier: bool = True,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        if num_codes < 1:
            raise ConfigError(f"num_codes is {num_codes}", wanted="at least 1", fix="try 8")
        scales = LowBitScalars.bytes_of(num_ids) if multiplier else 0

        def bytes_of(rows: int, codes: int = num_codes) -> int:
            return LowBitRows.bytes_of(codes * rows, dim, bits) + IdMap.bytes_of(num_ids, rows, codes) + scales

        self.num_rows = largest_size(
            f"ResidualCodes with num_codes: {num_codes}, bits: {bits}",
            bytes_of,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            table=(num_ids, dim),
            smaller={"ResidualCodes with num_codes: 1": bytes_of(1, 1)},
        )
        # a sum of S rows has norm about 1
        self.codebooks = LowBitRows(num_codes * self.num_rows, dim, bits, norm=num_codes**-0.5)
        self.codes = IdMap(num_ids, self.num_rows, num_codes)
        self.scale = LowBitScalars(num_ids) if multiplier else None
        firsts_S = torch.arange(num_codes, dtype=torch.int32) * self.num_rows
        self.firsts_S: Tensor
        self.register_buffer("firsts_S", firsts_S, persistent=False)

    def start(self, users_N: Tensor, ids_N: Tensor) -> None:
        """See the base: learn the codes, popular games counting more."""
        if self.codes.learned:
            return
        left_VW = game_factors(users_N, ids_N, num_ids=self.num_ids, width=_FACTORS)
        weights_V = torch.bincount(ids_N, minlength=self.num_ids).float()
        codes = []
        for _ in range(len(self.firsts_S)):
            centres_KW, codes_V = kmeans(left_VW, self.num_rows, weights_V)
            left_VW = left_VW - centres_KW[codes_V]
            codes.append(codes_V)
        self.codes.set(torch.stack(codes, dim=1))

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        if self.scale is not None:
            weights_BL = weights_BL * self.scale(ids_BL)
        rows_BLS = self.codes(ids_BL) + self.firsts_S
        weights_BLS = weights_BL[..., None].expand(rows_BLS.shape)
        return self.codebooks.bag(rows_BLS.flatten(1), weights_BLS.flatten(1))

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: S K dot products."""
        return self.codebooks.dots(queries_BD)

    def tiles(self, size: int) -> list[Tile]:
        """See the base: S additions and one multiply per id."""
        codes = self.codes.split(size, 1)
        ones_V = self.like.new_ones(self.num_ids - 1)
        scales = torch.split(ones_V, size) if self.scale is None else self.scale.split(size, 1)
        return [partial(self._tile, *parts) for parts in zip(codes, scales, strict=True)]

    def _tile(self, codes_TS: Tensor, scale_T: Tensor, dots_BR: Tensor) -> Tensor:
        rows_TS = codes_TS + self.firsts_S
        weights_TS = scale_T.to(dots_BR.dtype)[:, None].expand(rows_TS.shape)
        return scores_of_bags(dots_BR, rows_TS, weights_TS)
