"""Embedding room (floor 1): MEC, product-quantised codes (arXiv 2502.15355).

An id is a few codes, learned before the first step, and each code picks a part of its vector:

    emb(i) = concat over s of C_s[c_s(i)]            4 K e + ceil(v S ceil(log2 K) / 8) bytes

The codes stay; the S codebooks of K codewords, each `dim` / S wide, start from the quantiser and are trained with the
model. What is quantised, in this project's reading: factors of the games (truncated SVD of who has what), turned at
random so that all parts carry equally much; a game counts floor(log2(count)) times, at least once. The paper's
contrastive term against corrupted codes is left out. Ids that nobody has, the unknown id among them, keep id mod K.
"""

from functools import partial
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.bag import scores_of_bags
from memcom_rank.embeddings.base import FP32_BYTES, CompressedEmbedding
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.clustering import game_factors
from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.embeddings.product_codes import product_quantiser
from memcom_rank.embeddings.tables import Rows, Tile


@final
class Mec(CompressedEmbedding):
    """`num_codebooks` codebooks of `num_codewords` codewords and learned codes; until `start` each code is id mod K.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        num_codebooks: S, codes per id; divides `dim`.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: the codes and one codeword per codebook do not fit.
        ConfigError: the size knob is missing, doubled or out of range, or `num_codebooks` does not divide `dim`.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        num_codebooks: int = 8,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        if num_codebooks < 1 or dim % num_codebooks:
            raise ConfigError(
                f"num_codebooks is {num_codebooks} at a width of {dim}",
                wanted="a number that divides the width",
                fix=f"use e.g. {next(s for s in range(min(8, dim), 0, -1) if dim % s == 0)}",
            )
        self.num_codebooks = num_codebooks
        self.num_codewords = largest_size(
            f"Mec with num_codebooks: {num_codebooks}",
            lambda words: words * dim * FP32_BYTES + IdMap.bytes_of(num_ids, words, num_codebooks),
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            table=(num_ids, dim),
            smaller={"Mec with num_codebooks: 1": dim * FP32_BYTES + IdMap.bytes_of(num_ids, 1)},
        )
        # codeword k of codebook s is row s K + k
        self.words = Rows(self.num_codewords * num_codebooks, dim // num_codebooks, norm=num_codebooks**-0.5)
        self.codes = IdMap(num_ids, self.num_codewords, columns=num_codebooks)

    def start(self, users_N: Tensor, ids_N: Tensor) -> None:
        """Learn the codes, and codebooks to start from: see the base."""
        if self.codes.learned:
            return
        counts_V = torch.bincount(ids_N, minlength=self.num_ids)
        owned_U = counts_V.nonzero()[:, 0]
        factors_VD = game_factors(users_N, ids_N, num_ids=self.num_ids, width=self.dim)
        turn_DD, _ = torch.linalg.qr(torch.randn(self.dim, self.dim, device=factors_VD.device))
        codes_US, words_SKP = product_quantiser(
            factors_VD[owned_U] @ turn_DD,
            counts_V[owned_U].log2().floor().clamp(min=1),
            num_codebooks=self.num_codebooks,
            num_codewords=self.num_codewords,
        )
        codes_VS = self.codes.codes.to(owned_U.device, copy=True)
        codes_VS[owned_U] = codes_US.int()
        self.codes.set(codes_VS)
        with torch.no_grad():
            self.words.rows_MW.copy_(words_SKP.flatten(0, 1))

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        # a bag for each part of a vector
        rows_BSL = self._rows(self.codes(ids_BL)).transpose(1, 2)
        weights_BSL = weights_BL[:, None].expand_as(rows_BSL)
        parts_QP = self.words.bag(rows_BSL.flatten(0, 1), weights_BSL.flatten(0, 1))
        return parts_QP.view(ids_BL.shape[0], self.dim)

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: the product of each part of the query with each codeword of its codebook, [B, S K]."""
        parts = torch.split(queries_BD, self.words.width, dim=1)
        codebooks = self.words.tiles(self.num_codewords)
        return torch.cat([dots(part_BP) for dots, part_BP in zip(codebooks, parts, strict=True)], dim=1)

    def tiles(self, size: int) -> list[Tile]:
        """See the base: a sum of S copies per id."""
        return [partial(self._tile, codes_TS) for codes_TS in self.codes.split(size, 1)]

    def _tile(self, codes_TS: Tensor, dots_BN: Tensor) -> Tensor:
        return scores_of_bags(dots_BN, self._rows(codes_TS), torch.ones_like(codes_TS, dtype=self.like.dtype))

    def _rows(self, codes: Tensor) -> Tensor:
        """Return the rows of codes [..., S]."""
        return codes + torch.arange(self.num_codebooks, dtype=codes.dtype, device=codes.device) * self.num_codewords
