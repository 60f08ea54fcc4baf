"""Embedding room (floor 1): MEmCom whose offset is a vector of few bits: emb(i) = V[i] * U[b(i)] + R[i].

MEmCom (arXiv 2203.10135) gives every id a multiplier and one number to add to its shared row. Here the map b from ids
to shared rows is learned from who has what (as in Learning to Collide, arXiv 2203.15837), so that a row is shared by
games that are alike; what is added is a vector, of very few bits a value; popular games have theirs in more bits (as in
the mixed-precision cache, arXiv 2010.11305). All of it is trained as it is stored. The combination is this project's
own, see docs/residual_memcom.md.
"""

from functools import partial
from itertools import repeat
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.base import CompressedEmbedding
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.clustering import game_factors, kmeans
from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.low_bit_scalars import LowBitScalars
from memcom_rank.embeddings.stacked_rows import StackedRows
from memcom_rank.embeddings.tables import Tile

_SHARED_BITS, _RARE_BITS = 4, 1
_FACTORS = 64  # of the SVD in which games are clustered


@final
class ResidualMEmCom(CompressedEmbedding):
    """Shared rows by a learned map, and a residual per id: `popular_bits` wide for K ids, narrower for the rest.

    Bytes: m shared rows of 4 bits a value, the map at ceil(log2 m) bits an id, K residuals of `popular_bits` and the
    rest of 1 bit a value, a step per row and, with `multiplier`, a byte per id. Shared rows and popular residuals take
    their shares of the rows' bytes, the rare residuals the rest, until they are `dim` wide.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        shared_share: of the bytes, for shared rows; above 0 and below 1.
        popular_share: of the bytes, for the residuals of popular games; above 0 and, with the other, below 1.
        popular_bits: 1, 2, 3, 4 or 8 per value.
        multiplier: whether each id has a multiplier V, in 8 bits.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: one shared row, one popular residual and a bit per other id do not fit.
        ConfigError: a share or a number of bits out of range; the size knob is missing, doubled or out of range.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        shared_share: float = 0.1,
        popular_share: float = 0.25,
        popular_bits: int = 4,
        multiplier: bool = True,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        if not (shared_share > 0 and popular_share > 0 and shared_share + popular_share < 1):
            raise ConfigError(
                f"shared_share is {shared_share} and popular_share is {popular_share}",
                wanted="both above 0, and below 1 together: what is left is for the rare games",
                fix="try 0.1 and 0.25",
            )
        shared_bytes, popular_bytes = (LowBitRows.bytes_of(1, dim, bits) for bits in (_SHARED_BITS, popular_bits))

        def parts(size: int) -> tuple[int, int, int]:
            """Shared rows, popular ids and the rare width of `size` bytes or so; none falls as the size grows."""
            own = (1 - shared_share - popular_share) * size * 8 / (num_ids * _RARE_BITS)
            return (
                min(1 + int(shared_share * size / shared_bytes), num_ids - 1),
                min(1 + int(popular_share * size / popular_bytes), num_ids - 2),
                min(1 + int(own), dim),
            )

        def bytes_of(size: int) -> int:
            shared, popular, width = parts(size)
            return (
                LowBitRows.bytes_of(shared, dim, _SHARED_BITS)
                + IdMap.bytes_of(num_ids, shared)
                + LowBitRows.bytes_of(popular, dim, popular_bits)
                + LowBitRows.bytes_of(num_ids - 1 - popular, width, _RARE_BITS)
                + (LowBitScalars.bytes_of(num_ids) if multiplier else 0)
            )

        size = largest_size(
            "ResidualMEmCom",
            bytes_of,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=int(num_ids * popular_bytes / min(shared_share, popular_share)),
            full_bytes=self.full_bytes,
            smaller={},
        )
        num_shared, num_popular, width = self.parts = parts(size)
        self.row_of = IdMap(num_ids, num_shared)
        norm = 0.5**0.5  # the sum of two has a norm of about 1
        self.shared = LowBitRows(num_shared, dim, _SHARED_BITS, norm=norm)
        popular = LowBitRows(num_popular, dim, popular_bits, norm=norm)
        rare = LowBitRows(num_ids - 1 - num_popular, width, _RARE_BITS, norm=norm)
        self.residuals = StackedRows([popular, rare])
        self.scale = LowBitScalars(num_ids) if multiplier else None

    def start(self, users_N: Tensor, ids_N: Tensor) -> None:
        """See the base: learn the map, popular games counting more."""
        factors_VF = game_factors(users_N, ids_N, num_ids=self.num_ids, width=_FACTORS)
        counts_V = torch.bincount(ids_N, minlength=self.num_ids).float()
        self.row_of.set(kmeans(factors_VF, self.row_of.size, counts_V)[1])

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        scaled_BL = weights_BL if self.scale is None else weights_BL * self.scale(ids_BL)
        shared_BD = self.shared.bag(self.row_of(ids_BL)[..., 0], scaled_BL)
        return shared_BD + self.residuals.bag((ids_BL - 1).clamp(min=0), weights_BL)

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: m dot products, and the query itself for the residuals."""
        return torch.cat([self.shared.dots(queries_BD), queries_BD], dim=1)

    def tiles(self, size: int) -> list[Tile]:
        """See the base."""
        scales = repeat(None) if self.scale is None else self.scale.split(size, 1)
        parts = zip(self.row_of.split(size, 1), self.residuals.tiles(size), scales, strict=False)
        return [partial(self._tile, *three) for three in parts]

    def _tile(self, rows_T1: Tensor, residuals: Tile, scale_T: Tensor | None, projected_BS: Tensor) -> Tensor:
        dots_BM, queries_BD = projected_BS.split([self.row_of.size, self.dim], dim=1)  # type: ignore[no-untyped-call]
        shared_BT = dots_BM.index_select(1, rows_T1[:, 0])
        if scale_T is not None:
            shared_BT = shared_BT * scale_T
        scores_BT: Tensor = shared_BT + residuals(queries_BD)
        return scores_BT
