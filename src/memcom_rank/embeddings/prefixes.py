"""Embedding room (floor 1): the table of AMTL (arXiv 2108.11513), rows of which training finds the width.

Takes row numbers, weights and queries -> gives rows that are masked beyond their width, and their products. A width
belongs to a bucket of rows of about the same popularity; all widths together keep to a number of values.
"""

import math
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from memcom_rank.contract.schemas import FIRST_GAME_ID
from memcom_rank.embeddings.bag import pool_made
from memcom_rank.embeddings.stacked_rows import StackedRows
from memcom_rank.embeddings.tables import Rows, Stored, Table, Tile, initial_rows, pick, products

BUCKETS = 32  # halvings of a count below 2^32
_UNITS = 16  # hidden units of each network
_BISECTIONS = 24  # to the precision of fp32


@final
class Prefixes(Table, Stored):
    """`num_rows` rows by falling popularity, of which at most `num_values` values are not masked.

    Args:
        num_rows: rows M.
        width: the widest row, W.
        num_values: at least one per row.
    """

    def __init__(self, num_rows: int, width: int, num_values: int) -> None:
        super().__init__(num_rows, width)
        self.num_values = num_values
        self.rows_MW = initial_rows(num_rows, width)
        self.networks = nn.ModuleList(_network(width) for _ in range(2))  # of popular rows, of rare ones
        halvings_P = 2 ** torch.arange(1, min(BUCKETS, num_rows) + 1)
        self.ends_P: Tensor  # the row after each bucket's last
        self.register_buffer("ends_P", self._ends(halvings_P))  # count ~ 1 / rank: a bucket halves the rank's inverse

    def bucket(self, counts_M: Tensor) -> None:
        """Make buckets of rows with the same log2 of their counts [M]; row 0, the unknown id, is in the first.

        Rows are taken to come by falling count, as ids do.
        """
        levels_M = counts_M[FIRST_GAME_ID - 1 :].clamp(min=1).log2().floor().long()
        sizes_P = (levels_M.max() - levels_M).clamp(max=len(self.ends_P) - 1).bincount(minlength=len(self.ends_P))
        self.ends_P.copy_(self._ends(sizes_P.cumsum(0) + 1))

    def _ends(self, ends_P: Tensor) -> Tensor:
        ends_P = ends_P.clamp(max=self.num_rows).int()
        ends_P[-1] = self.num_rows
        return ends_P

    def _numbers(self) -> Tensor:
        return torch.arange(self.num_rows, dtype=torch.int32, device=self.rows_MW.device)

    def buckets(self, rows_N: Tensor) -> Tensor:
        """Return the buckets of rows [N]."""
        return torch.bucketize(rows_N, self.ends_P, out_int32=True, right=True)

    def sizes(self) -> Tensor:
        """Return the rows of each bucket, int64 [P]."""
        ends_P = self.ends_P.long()
        return ends_P.diff(prepend=ends_P.new_zeros(1))

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """See the base: masked rows."""
        if rows is None:
            return self.rows_MW * pick(self.masks(), self.buckets(self._numbers()))
        return pick(self.rows_MW, rows) * pick(self.masks(), self.buckets(rows))

    def bag(self, rows_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """See the base: each row is masked once."""
        return pool_made(self, rows_BL, weights_BL)

    def tiles(self, size: int | list[int], first: int = 0) -> list[Tile]:
        """See the base: all rows are masked at once."""
        return [partial(products, part_TW) for part_TW in torch.split(self.forward()[first:], size)]

    def settled(self) -> StackedRows:
        """Return the same rows as a table for each bucket, as wide as its rows: what is stored, to be used as it is."""
        tables = []
        with torch.no_grad():
            parts = torch.split(self.forward(), self.sizes().tolist())
            for part_NW, width in zip(parts, self.widths().tolist(), strict=True):
                if len(part_NW):
                    tables.append(Rows(len(part_NW), width))
                    tables[-1].rows_MW.copy_(part_NW[:, :width])
        return StackedRows(tables).to(self.rows_MW)

    def masks(self) -> Tensor:
        """Return the mask of each bucket, 0 or sqrt(W / width): [P, W]; its gradient is that of the soft choice."""
        with torch.autocast(self.rows_MW.device.type, enabled=False):  # rounded logits would choose other widths
            priced_PW, widths_P = self._choose()
            widths_P1 = widths_P[:, None]
            soft_PW = priced_PW.softmax(dim=1).flip(1).cumsum(1).flip(1)  # probability that the width reaches a value
            hard_PW = (torch.arange(self.width, device=widths_P.device) < widths_P1).to(soft_PW.dtype)
            return (hard_PW + soft_PW - soft_PW.detach()) * (self.width / widths_P1.to(soft_PW.dtype)).sqrt()

    def widths(self) -> Tensor:
        """Return the width of each bucket, int64 [P]."""
        with torch.autocast(self.rows_MW.device.type, enabled=False):
            return self._choose()[1]

    def _choose(self) -> tuple[Tensor, Tensor]:
        """Return the logits of all widths less their price [P, W], and the widths [P]."""
        logits_PW = self._logits()
        sizes_P = self.sizes()
        cost_W = torch.arange(1, logits_PW.shape[1] + 1, dtype=logits_PW.dtype, device=logits_PW.device)
        fixed_PW = logits_PW.detach()
        high = fixed_PW.amax() - fixed_PW.amin() + 1  # at this price every width is 1, at its negative every width is W
        low = -high
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            fits = (sizes_P * _widest(fixed_PW - middle * cost_W)).sum() <= self.num_values
            low, high = torch.where(fits, low, middle), torch.where(fits, middle, high)
        priced_PW = logits_PW - high * cost_W
        return priced_PW, self._widened(_widest(priced_PW.detach()), sizes_P)

    def _widened(self, widths_P: Tensor, sizes_P: Tensor) -> Tensor:
        """Spend values that no price could: bucket by bucket, from the most popular on."""
        left, widened = self.num_values - (sizes_P * widths_P).sum(), []
        for size, width in zip(sizes_P, widths_P, strict=True):
            more = torch.minimum(left // size.clamp(min=1), self.width - width)
            left = left - more * size
            widened.append(width + more)
        return torch.stack(widened)

    def _logits(self) -> Tensor:
        """Return the logits of widths 1 to W of each bucket: [P, W]."""
        dtype, ends_P = self.rows_MW.dtype, self.ends_P
        rarity_P1 = (ends_P.to(dtype).log() / math.log(self.num_rows))[:, None]  # of rank: 1 is the rarest
        levels_P1 = torch.ones_like(rarity_P1).cumsum(0) / len(ends_P)  # of count, in halvings
        seen_P2 = 1 - 2 * torch.cat([rarity_P1, levels_P1], dim=1)
        of_popular_PW, of_rare_PW = (network(seen_P2) for network in self.networks)
        widths_W = torch.arange(1, self.width + 1, dtype=dtype, device=ends_P.device)
        logits_PW: Tensor = 4 * widths_W.log() + (1 - rarity_P1) * of_popular_PW + rarity_P1 * of_rare_PW
        return logits_PW  # 4 log k: its ever smaller steps leave no width unused

    def at_rest(self) -> dict[str, Tensor]:
        """Return the unmasked values row by row, fp32, and where each bucket ends, int32, and its width, int16."""
        rows_MW, widths_P = self.forward().detach().float(), self.widths()
        places_W = torch.arange(self.width, device=rows_MW.device)
        kept_MW = places_W < widths_P.index_select(0, self.buckets(self._numbers()))[:, None]
        return {"values": rows_MW[kept_MW], "ends": self.ends_P, "widths": widths_P.short()}


def _network(width: int) -> nn.Sequential:
    last = nn.Linear(_UNITS, width)
    with torch.no_grad():  # so that widths start near one another
        last.weight.mul_(0.1)
        last.bias.mul_(0.1)
    return nn.Sequential(nn.Linear(2, _UNITS), nn.Tanh(), last)


def _widest(logits_PW: Tensor) -> Tensor:
    """Return the width of the largest logit of each bucket, int64 [P]."""
    return logits_PW.argmax(dim=1) + 1
