"""Embedding room (floor 1): AMTL, adaptively masked twins-based layer (arXiv 2108.11513).

Vectors have widths that training finds: emb(i) = sqrt(e / k) * T[i] with all but its first k values masked. The width
k belongs to a bucket of ids of about the same popularity, and two small networks, mixed by popularity, choose it
(softmax, the largest wins, the gradient passes straight through it to a lower-triangular mask).

    4 * (sum over buckets of ids times width) + 6 per bucket bytes

This project's reading: buckets are halvings of the training count; the networks see a bucket's popularity and tilt
logits that start at 4 log k; in place of a penalty on size, every forward subtracts price * k from the logits, with the
lowest price, found by bisection, at which the widths fit the bytes, and what is then left widens the most popular
buckets. So the budget holds, and is spent, at every step. The factor sqrt(e / k) keeps the scale of a vector
when its width changes.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from memcom_rank.contract.schemas import FIRST_GAME_ID
from memcom_rank.embeddings.bag import weighted_bag
from memcom_rank.embeddings.base import FP32_BYTES, CompressedEmbedding, Stored, initial_rows
from memcom_rank.embeddings.budget import largest_size, limit_bytes

_BUCKETS = 32  # halvings of a count below 2^32
_BUCKET_BYTES = 6  # at rest: where it ends, int32, and its width, int16
_UNITS = 16  # hidden units of each network
_BISECTIONS = 24  # to the precision of fp32


@final
class Amtl(CompressedEmbedding):
    """A prefix of a row per id, of a width that training finds; until `start` counts are taken to follow Zipf's law.

    Training holds the full table, with its gradient and its optimizer's moments.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector. The ratio stays below it.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: a width of 1 does not fit.
        ConfigError: the size knob is missing, doubled or out of range.
    """

    def __init__(
        self, num_ids: int, dim: int, *, target_ratio: float | None = None, budget_bytes: int | str | None = None
    ) -> None:
        super().__init__(num_ids, dim)
        overhead = min(_BUCKETS, num_ids - 1) * _BUCKET_BYTES
        num_values = largest_size(
            "Amtl",
            lambda extra: (num_ids - 2 + extra) * FP32_BYTES + overhead,  # a value per id but padding, and more
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=(num_ids - 1) * dim - (num_ids - 2),
            full_bytes=self.full_bytes,
            smaller={"NaiveHash": dim * FP32_BYTES},
        )
        self.prefixes = Prefixes(num_ids - 1, dim, num_ids - 2 + num_values)

    def start(self, users_N: Tensor, ids_N: Tensor) -> None:
        """Make the buckets: see the base."""
        self.prefixes.bucket(torch.bincount(ids_N, minlength=self.num_ids)[1:])

    @property
    def num_unmasked(self) -> int:
        """Values that are stored."""
        return int((self.prefixes.sizes() * self.prefixes.widths()).sum())

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        # each id of a batch is masked once
        ids_U, places_BL = torch.unique(ids_BL, return_inverse=True)
        rows_U = (ids_U - 1).clamp(min=0)
        mask_UD = self.prefixes.masks().index_select(0, self.prefixes.buckets(rows_U))
        vectors_UD = self.prefixes.rows_MD.index_select(0, rows_U) * mask_UD
        return weighted_bag(vectors_UD, places_BL.int(), weights_BL)

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: nothing."""
        return queries_BD

    def tiles(self, size: int) -> list[Callable[[Tensor], Tensor]]:
        """See the base."""
        return [partial(_tile, part_TD) for part_TD in torch.split(self.prefixes(), size)]


class Prefixes(Stored):
    """`num_rows` rows by falling popularity, of which at most `num_values` values are not masked.

    Args:
        num_rows: rows M.
        width: the widest row, D.
        num_values: at least one per row.
    """

    def __init__(self, num_rows: int, width: int, num_values: int) -> None:
        super().__init__()
        self.num_values = num_values
        self.rows_MD = initial_rows(num_rows, width)
        self.networks = nn.ModuleList(_network(width) for _ in range(2))  # of popular rows, of rare ones
        halvings_P = 2 ** torch.arange(1, min(_BUCKETS, num_rows) + 1)
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
        ends_P = ends_P.clamp(max=len(self.rows_MD)).int()
        ends_P[-1] = len(self.rows_MD)
        return ends_P

    def buckets(self, rows_N: Tensor) -> Tensor:
        """Return the buckets of rows [N]."""
        return torch.bucketize(rows_N, self.ends_P, out_int32=True, right=True)

    def sizes(self) -> Tensor:
        """Return the rows of each bucket, int64 [P]."""
        ends_P = self.ends_P.long()
        return ends_P.diff(prepend=ends_P.new_zeros(1))

    def forward(self) -> Tensor:
        """Return the masked rows [M, D]."""
        rows_M = torch.arange(len(self.rows_MD), dtype=torch.int32, device=self.rows_MD.device)
        return self.rows_MD * self.masks().index_select(0, self.buckets(rows_M))

    def masks(self) -> Tensor:
        """Return the mask of each bucket, 0 or sqrt(D / width): [P, D]; its gradient is that of the soft choice."""
        dim = self.rows_MD.shape[1]
        with torch.autocast(self.rows_MD.device.type, enabled=False):  # rounded logits would choose other widths
            priced_PD, widths_P = self._choose()
            widths_P1 = widths_P[:, None]
            soft_PD = priced_PD.softmax(dim=1).flip(1).cumsum(1).flip(1)  # probability that the width reaches a value
            hard_PD = (torch.arange(dim, device=widths_P.device) < widths_P1).to(soft_PD.dtype)
            return (hard_PD + soft_PD - soft_PD.detach()) * (dim / widths_P1.to(soft_PD.dtype)).sqrt()

    def widths(self) -> Tensor:
        """Return the width of each bucket, int64 [P]."""
        with torch.autocast(self.rows_MD.device.type, enabled=False):
            return self._choose()[1]

    def _choose(self) -> tuple[Tensor, Tensor]:
        """Return the logits of all widths less their price [P, D], and the widths [P]."""
        logits_PD = self._logits()
        sizes_P = self.sizes()
        cost_D = torch.arange(1, logits_PD.shape[1] + 1, dtype=logits_PD.dtype, device=logits_PD.device)
        fixed_PD = logits_PD.detach()
        high = fixed_PD.amax() - fixed_PD.amin() + 1  # at this price every width is 1, at its negative every width is D
        low = -high
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            fits = (sizes_P * _widest(fixed_PD - middle * cost_D)).sum() <= self.num_values
            low, high = torch.where(fits, low, middle), torch.where(fits, middle, high)
        priced_PD = logits_PD - high * cost_D
        return priced_PD, self._widened(_widest(priced_PD.detach()), sizes_P)

    def _widened(self, widths_P: Tensor, sizes_P: Tensor) -> Tensor:
        """Spend values that no price could: bucket by bucket, from the most popular on."""
        left, widened = self.num_values - (sizes_P * widths_P).sum(), []
        for size, width in zip(sizes_P, widths_P, strict=True):
            more = torch.minimum(left // size.clamp(min=1), self.rows_MD.shape[1] - width)
            left = left - more * size
            widened.append(width + more)
        return torch.stack(widened)

    def _logits(self) -> Tensor:
        """Return the logits of widths 1 to D of each bucket: [P, D]."""
        num_rows, dim = self.rows_MD.shape
        dtype, ends_P = self.rows_MD.dtype, self.ends_P
        rarity_P1 = (ends_P.to(dtype).log() / math.log(num_rows))[:, None]  # of rank: 1 is the rarest
        levels_P1 = torch.ones_like(rarity_P1).cumsum(0) / len(ends_P)  # of count, in halvings
        seen_P2 = 1 - 2 * torch.cat([rarity_P1, levels_P1], dim=1)
        of_popular_PD, of_rare_PD = (network(seen_P2) for network in self.networks)
        widths_D = torch.arange(1, dim + 1, dtype=dtype, device=ends_P.device)
        logits_PD: Tensor = 4 * widths_D.log() + (1 - rarity_P1) * of_popular_PD + rarity_P1 * of_rare_PD
        return logits_PD  # 4 log k: its ever smaller steps leave no width unused

    def at_rest(self) -> dict[str, Tensor]:
        """Return the unmasked values row by row, fp32, and where each bucket ends, int32, and its width, int16."""
        rows_MD, widths_P = self.forward().detach().float(), self.widths()
        rows_M = torch.arange(len(rows_MD), dtype=torch.int32, device=rows_MD.device)
        places_D = torch.arange(rows_MD.shape[1], device=rows_MD.device)
        kept_MD = places_D < widths_P.index_select(0, self.buckets(rows_M))[:, None]
        return {"values": rows_MD[kept_MD], "ends": self.ends_P, "widths": widths_P.short()}


def _network(width: int) -> nn.Sequential:
    last = nn.Linear(_UNITS, width)
    with torch.no_grad():  # so that widths start near one another
        last.weight.mul_(0.1)
        last.bias.mul_(0.1)
    return nn.Sequential(nn.Linear(2, _UNITS), nn.Tanh(), last)


def _widest(logits_PD: Tensor) -> Tensor:
    """Return the width of the largest logit of each bucket, int64 [P]."""
    return logits_PD.argmax(dim=1) + 1


def _tile(part_TD: Tensor, queries_BD: Tensor) -> Tensor:
    return queries_BD @ part_TD.T
