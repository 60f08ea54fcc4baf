"""Embedding room (floor 1): a table in few bits, in training as at rest.

Takes row numbers, weights and queries -> gives rows as they are stored, and their products. In training the latent
floats are rounded on every use (`quantise.py`) and gradients pass straight through (Bengio et al. 2013,
arXiv 1308.3432), so that what is trained is what is stored; or, in training, to one of the two nearest levels at
random, right on average.
"""

from functools import partial
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.bag import pool_made, weighted_bag
from memcom_rank.embeddings.quantise import STEP_BYTES, STEPS, pack, packed_bytes, quantise, rounded
from memcom_rank.embeddings.tables import Stored, Table, Tile, initial_rows, pick, products


def check_bits(bits: int) -> None:
    """Refuse, with a ConfigError, a number of bits that a value cannot have."""
    if bits not in STEPS:
        raise ConfigError(f"bits is {bits}", wanted=f"one of {', '.join(map(str, STEPS))}", fix="try 4")


@final
class LowBitRows(Table, Stored):
    """A trainable table of `num_rows` x `width` values of `bits` bits each, and an fp16 step per row.

    Args:
        num_rows: rows M.
        width: values per row W, at least 1.
        bits: 1, 2, 3, 4 or 8 per value.
        norm: what the norm of a row, as stored, is at the start, about.
        stochastic: whether training rounds at random, from torch's global generator. Evaluation takes the nearest.

    Raises:
        ConfigError: another number of bits.
    """

    def __init__(self, num_rows: int, width: int, bits: int, *, norm: float = 1.0, stochastic: bool = False) -> None:
        super().__init__(num_rows, width)
        check_bits(bits)
        self.bits, self.stochastic = bits, stochastic
        self.rows_MW = initial_rows(num_rows, width)  # latent: the floats that are rounded
        with torch.no_grad():  # rounding shortens rows
            self.rows_MW.div_(rounded(self.rows_MW, bits).norm(dim=1).mean()).mul_(norm)

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """See the base: rows as they are stored, or in training as `stochastic` says."""
        return self._rounded(self.rows_MW if rows is None else pick(self.rows_MW, rows))

    def bag(self, rows_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """See the base: each row is rounded once."""
        if rows_BL.numel() < self.num_rows:
            return pool_made(self, rows_BL, weights_BL)
        return weighted_bag(self._rounded(self.rows_MW), rows_BL, weights_BL)

    def tiles(self, size: int | list[int], first: int = 0) -> list[Tile]:
        """See the base: rows are rounded a tile at a time."""
        parts = torch.split(self.rows_MW[first:], size)
        # a seed for each tile, so that one that is made again is rounded as before
        seeds = torch.randint(2**62, (len(parts),)).tolist() if self._draws() else [None] * len(parts)
        return [partial(self._tile, part_TW, seed) for part_TW, seed in zip(parts, seeds, strict=True)]

    def _tile(self, latent_TW: Tensor, seed: int | None, queries_BW: Tensor) -> Tensor:
        return products(self._rounded(latent_TW, seed), queries_BW)

    def _rounded(self, latent_NW: Tensor, seed: int | None = None) -> Tensor:
        """Return latent rows as they are stored; in training, if asked, rounded at random, by the seed if given."""
        if not self._draws():
            return rounded(latent_NW, self.bits)
        device, generator = latent_NW.device, None
        if seed is not None:
            generator = torch.Generator(device).manual_seed(seed)
        # half a step up or down at most, so that the mean is the value itself
        noise_NW = torch.rand(latent_NW.shape, generator=generator, device=device) - 0.5
        return rounded(latent_NW, self.bits, noise_NW)

    def _draws(self) -> bool:
        return self.stochastic and self.training

    def at_rest(self) -> dict[str, Tensor]:
        """Return packed codes, uint8, and steps [M], fp16."""
        codes_MW, step_M1 = quantise(self.rows_MW.detach().float(), self.bits)
        return {"codes": pack(codes_MW, self.bits), "step": step_M1.flatten()}

    @staticmethod
    def bytes_of(num_rows: int, width: int, bits: int) -> int:
        """Return the bytes at rest of such a table.

        Raises:
            ConfigError: another number of bits.
        """
        check_bits(bits)
        return packed_bytes(num_rows * width, bits) + num_rows * STEP_BYTES
