"""Embedding room (floor 1): MEM-REC, memory efficient recommendation (arXiv 2305.07205).

Games share rows, and the factor that tells them apart is shared too, so that no table grows with the catalogue:

    emb(i) = alpha(i) * sum over j of U[h_j(i)],   alpha(i) = sum over j of V[g_j(i)]      4 (m e + n) bytes

h_1 ... h_k1 are the Bloom signature of i in m rows, g_1 ... g_k2 its places among n scalars. This project's reading:
the first hash of each is the modulo over ids by popularity (no row is idle, popular games differ in it), the others are
universal hashes; a row that a signature has twice counts twice; the share of the bytes that the scalars get is a knob.
"""

from collections.abc import Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.bag import scores_of_bags
from memcom_rank.embeddings.base import FP32_BYTES, CompressedEmbedding
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.hashing import hash_constants, modulo, polynomial_hashes
from memcom_rank.embeddings.tables import Rows, Scalars, Tile


@final
class MemRec(CompressedEmbedding):
    """`num_rows` shared rows U and, for the factors, shared scalars V.

    Scalars start at 1 / (k2 sqrt(k1)), so that vectors start with a norm of about 1.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        num_hashes: k1, rows that are summed for an id.
        num_scale_hashes: k2, scalars that are summed for its factor.
        scale_share: share of the bytes that the scalars get, from 0 to below 1; at least one, at most one per id.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: one row and its scalars do not fit.
        ConfigError: a knob is missing, doubled or out of range.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        num_hashes: int = 2,
        num_scale_hashes: int = 2,
        scale_share: float = 0.25,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        if num_hashes < 1 or num_scale_hashes < 1 or not 0 <= scale_share < 1:
            raise ConfigError(
                f"num_hashes is {num_hashes}, num_scale_hashes {num_scale_hashes}, scale_share {scale_share}",
                wanted="at least one hash of each kind, and a share from 0 to below 1",
                fix="use e.g. 2, 2 and 0.25",
            )

        def num_scales(rows: int) -> int:
            return min(max(int(rows * dim * scale_share / (1 - scale_share)), 1), num_ids - 1)

        self.num_hashes = num_hashes
        self.num_scale_hashes = num_scale_hashes
        self.num_rows = largest_size(
            f"MemRec with scale_share: {scale_share}",
            lambda rows: (rows * dim + num_scales(rows)) * FP32_BYTES,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            table=(num_ids, dim),
        )
        # the first hash of rows and of scalars is the modulo, so that none is idle
        numbers = range(1, num_hashes + num_scale_hashes - 1)
        constants = [hash_constants(number) for number in numbers]
        self._row_constants, self._scale_constants = constants[: num_hashes - 1], constants[num_hashes - 1 :]
        self.rows = Rows(self.num_rows, dim)
        self.num_scales = num_scales(self.num_rows)
        self.scales = Scalars(self.num_scales, 1 / (num_scale_hashes * num_hashes**0.5))

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        # the places of a signature are places of one bag
        rows_BL = torch.cat(self._signature(ids_BL), dim=1)
        factors_BL = self._factors(ids_BL.reshape(-1)).view_as(ids_BL) * weights_BL
        return self.rows.bag(rows_BL, factors_BL.repeat(1, self.num_hashes))

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: m dot products."""
        return self.rows.dots(queries_BD)

    def tiles(self, size: int) -> list[Tile]:
        """See the base: k1 multiplies per id."""
        (ids_V,) = self._ids(self.num_ids)
        parts = zip(self._ids(size), torch.split(self._factors(ids_V), size), strict=True)
        return [partial(self._tile, ids_T, factors_T) for ids_T, factors_T in parts]

    def _tile(self, ids_T: Tensor, factors_T: Tensor, dots_BM: Tensor) -> Tensor:
        rows_TK = torch.stack(self._signature(ids_T), dim=1)
        return scores_of_bags(dots_BM, rows_TK, factors_T[:, None].expand_as(rows_TK))

    def _signature(self, ids: Tensor) -> list[Tensor]:
        """Return the k1 rows of ids."""
        return _places(ids, self.num_rows, self._row_constants)

    def _factors(self, ids_N: Tensor) -> Tensor:
        """Return alpha of ids [N]."""
        places = _places(ids_N, self.num_scales, self._scale_constants)
        factors_N: Tensor = self.scales(torch.stack(places)).sum(dim=0)
        return factors_N


def _places(ids: Tensor, size: int, hashes: Sequence[tuple[int, int, int]]) -> list[Tensor]:
    return [modulo(ids, size), *(polynomial_hashes(ids, hashes, size) if hashes else ())]
