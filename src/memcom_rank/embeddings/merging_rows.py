"""Embedding room (floor 1): rows that merge on the way: a row for each game at first, later one for each cluster.

Takes row numbers, weights and queries -> gives rows and products. In the first part of training every game has a row of
its own, in fp32. Then the rows are clustered (k-means, by how often each was trained on), and a cluster's centre, in
few bits, takes the place of its rows; training goes on with the centres. What is evaluated and stored is the merged
form at any time, so that a validation measures what would be kept.
"""

from functools import partial
from typing import final

import torch
from torch import Tensor

from memcom_rank.embeddings.bag import scores_of_rows, weighted_bag
from memcom_rank.embeddings.clustering import kmeans
from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.quantise import pack, quantise, rounded
from memcom_rank.embeddings.shared_table import SharedTable
from memcom_rank.embeddings.tables import Stored, Table, Tile, initial_rows, pick, products

_ROUNDS, _ROUNDS_BEFORE = 15, 3  # of k-means: to merge, and to see what merging would make of the rows


@final
class MergingRows(Table, Stored):
    """`num_rows` trainable rows N, of which `num_shared` are stored, in `bits` bits a value, and a map to them.

    Args:
        num_rows: rows N.
        width: values per row W.
        num_shared: rows M that are left in the end, at least 1.
        bits: of them, 1, 2, 3, 4 or 8 per value.
    """

    def __init__(self, num_rows: int, width: int, num_shared: int, bits: int) -> None:
        super().__init__(num_rows, width)
        self.bits = bits
        # the shared rows come last. One parameter: two would take turns to have no gradient, which DDP refuses
        self.rows_MW = initial_rows(num_rows + num_shared, width)
        self.row_of = IdMap(num_rows, num_shared)
        self.merged = False

    @torch.no_grad()
    def cluster(self, weights_N: Tensor, *, merge: bool) -> bool:
        """Make the shared rows anew of the games' own; with `merge` training goes on with them. Later calls do nothing.

        On the CPU, from a fixed seed: every process finds the same. Returns whether it did anything.

        Args:
            weights_N: how much each row counts, at least 0 and not all 0.
            merge: whether this is the last time.
        """
        if self.merged:
            return False
        own_NW, shared_MW = self.rows_MW[: self.num_rows], self.rows_MW[self.num_rows :]
        centres_MW, nearest_N = kmeans(
            own_NW.float().cpu(),
            self.row_of.size,
            weights_N.cpu(),
            iterations=_ROUNDS if merge else _ROUNDS_BEFORE,
            generator=torch.Generator().manual_seed(0),
        )
        shared_MW.copy_(centres_MW)
        self.row_of.set(nearest_N)
        self.merged = merge
        return True

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """See the base."""
        if self._own():
            return self.rows_MW[: self.num_rows] if rows is None else pick(self.rows_MW, rows)
        shared_MW = self._shared()
        return pick(shared_MW, self.row_of.codes[:, 0] if rows is None else self.row_of(rows)[..., 0])

    def bag(self, rows_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """See the base."""
        if self._own():
            return weighted_bag(self.rows_MW, rows_BL, weights_BL)
        return weighted_bag(self._shared(), self.row_of(rows_BL)[..., 0], weights_BL)

    def tiles(self, size: int | list[int], first: int = 0) -> list[Tile]:
        """See the base."""
        if self._own():
            return [partial(products, part_TW) for part_TW in torch.split(self.rows_MW[first : self.num_rows], size)]
        shared_MW = self._shared()
        return [partial(_spread, shared_MW, rows_T1) for rows_T1 in self.row_of.split(size, first)]

    def settled(self) -> SharedTable:
        """Return the merged form as parts that hold nothing else: for artifacts."""
        rows = LowBitRows(self.row_of.size, self.width, self.bits)
        made = SharedTable(rows, IdMap(self.num_rows, self.row_of.size))
        rows.rows_MW.data.copy_(self.rows_MW.detach()[self.num_rows :])
        made.row_of.set(self.row_of.codes)
        return made.to(self.rows_MW.device).train(self.training)

    def at_rest(self) -> dict[str, Tensor]:
        """Return the shared rows' packed codes, uint8, and steps [M], fp16; the map speaks for itself."""
        codes_MW, step_M1 = quantise(self.rows_MW.detach()[self.num_rows :].float(), self.bits)
        return {"codes": pack(codes_MW, self.bits), "step": step_M1.flatten()}

    def get_extra_state(self) -> Tensor:
        """Return whether the rows have merged, for a checkpoint."""
        return torch.tensor(self.merged)

    def set_extra_state(self, state: Tensor) -> None:
        """Take up what a checkpoint says."""
        self.merged = bool(state)

    @staticmethod
    def bytes_of(num_rows: int, width: int, num_shared: int, bits: int) -> int:
        """Return the bytes at rest of such a table."""
        return LowBitRows.bytes_of(num_shared, width, bits) + IdMap.bytes_of(num_rows, num_shared)

    def _own(self) -> bool:
        return self.training and not self.merged

    def _shared(self) -> Tensor:
        return rounded(self.rows_MW[self.num_rows :], self.bits)


def _spread(shared_MW: Tensor, rows_T1: Tensor, queries_BW: Tensor) -> Tensor:
    return scores_of_rows(products(shared_MW, queries_BW), rows_T1[:, 0])
