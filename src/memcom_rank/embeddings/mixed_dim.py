"""Embedding room (floor 1): mixed dimensions, wide rows for popular games and narrow ones for rare (Ginart et al. 2019,
arXiv 1909.11810).

Ids from 1 on are cut, in order of popularity, into blocks of n_f ids. With d_f numbers per id of block f:

    emb(i) = A_f[i] P_f,    A_f: n_f x d_f,    P_f: d_f x e,    d_f = c p_f^temperature, at most e

p_f is how much a game of the block is played: the paper's power law, with p_f the share of a block / n_f. The blocks
are geometric, so that under Zipf's law each has the same share of all plays, hence p_f = 1 / n_f up to a factor: only
the order of popularity has to be known. c follows from the budget. Where rows of width e of its own take no more bytes
than A_f and P_f, a block has those and no P_f. The unknown id, which stands for many games, is in the first block.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import cast, final

import torch
from torch import Tensor, nn

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.base import FP32_BYTES, CompressedEmbedding
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.stacked_rows import stacked_tiles
from memcom_rank.embeddings.tables import Rows, Table, Tile

_FINENESS = 64  # steps of c per number of the narrowest block: blocks seldom widen together


@final
class MixedDim(CompressedEmbedding):
    """Blocks f of n_f ids with `widths` d_f; the sum over f of 4 min(d_f (n_f + e), n_f e) bytes.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        num_blocks: blocks of a large vocabulary; a small one has fewer.
        temperature: how fast the width falls with popularity, from 0 (not at all) to 1; 0.3 in the authors' code.
        target_ratio: bytes of the full table / bytes, below `dim`; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: not even one number per id fits.
        ConfigError: the size knob is missing, doubled or out of range, or another knob is out of range.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        num_blocks: int = 4,
        temperature: float = 0.3,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        if num_blocks < 1 or not 0 <= temperature <= 1:
            raise ConfigError(
                f"num_blocks is {num_blocks} and temperature is {temperature}",
                wanted="at least one block and a temperature from 0 to 1",
                fix="try num_blocks: 4 and temperature: 0.3",
            )
        ends = {round((num_ids - 1) ** (block / num_blocks)) for block in range(1, num_blocks + 1)}
        self._starts = [0, *sorted(ends)]  # a block's first id - 1
        sizes = [end - start for start, end in pairwise(self._starts)]

        def widths(size: int) -> list[int]:
            wanted = [size / _FINENESS * (max(sizes) / n) ** temperature for n in sizes]
            return [min(max(int(width), 1), dim) for width in wanted]

        def block_bytes(width: int, n: int) -> int:
            return FP32_BYTES * min(width * (n + dim), n * dim)

        size = largest_size(
            "MixedDim",
            lambda size: sum(map(block_bytes, widths(size), sizes)),
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=_FINENESS * dim,
            table=(num_ids, dim),
            smaller={"Truncated": dim * FP32_BYTES},
        )
        self.widths = [w if w * (n + dim) < n * dim else dim for w, n in zip(widths(size), sizes, strict=True)]
        shapes = list(zip(sizes, self.widths, strict=True))
        self.tables = nn.ModuleList(Rows(n, width) for n, width in shapes)
        self.widen = nn.ModuleDict({str(f): Rows(width, dim) for f, width in enumerate(self.widths) if width < dim})

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        parts = []
        for f, (start, table) in enumerate(zip(self._starts, self._tables(), strict=False)):
            rows_BL = ids_BL - 1 - start
            inside_BL = (rows_BL >= 0) & (rows_BL < table.num_rows)
            pooled_BD = table.bag(rows_BL.clamp(0, table.num_rows - 1), weights_BL * inside_BL)
            parts.append(pooled_BD @ self.widen[str(f)]() if str(f) in self.widen else pooled_BD)
        return torch.stack(parts).sum(dim=0)

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: the query in the space of each block, one after the other."""
        widen = {f: cast(Table, table) for f, table in self.widen.items()}
        spaces = [widen[str(f)].dots(queries_BD) if str(f) in widen else queries_BD for f in range(len(self.tables))]
        return torch.cat(spaces, dim=1)

    def tiles(self, size: int) -> list[Tile]:
        """See the base: a dot product of d_f numbers per id."""
        return [partial(self._tile, pieces) for pieces in stacked_tiles(self._tables(), size)]

    def _tile(self, pieces: Sequence[tuple[int, Tile]], projected_BS: Tensor) -> Tensor:
        spaces = torch.split(projected_BS, self.widths, dim=1)
        return torch.cat([tile(spaces[f]) for f, tile in pieces], dim=1)

    def _tables(self) -> list[Table]:
        return [cast(Table, table) for table in self.tables]
