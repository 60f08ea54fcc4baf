"""Embedding room (floor 1): numbers in few bits, in training as at rest.

Takes rows of floats -> gives rows of 2^bits levels, a step per row, and their packed form. The levels are
+-1/2, +-3/2, ... steps; the step is the best one for normally distributed values of the row's root mean square
(Max 1960, "Quantizing for Minimum Distortion", table II; 8 bits: by the same method). In training the latent
floats are rounded on every use and gradients pass straight through (Bengio et al. 2013, arXiv 1308.3432), so that what
is trained is what is stored; or, in training, to one of the two nearest levels at random, right on average.
"""

import torch
from torch import Tensor, nn

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.base import Stored, initial_rows

STEPS = {1: 1.5956, 2: 0.9957, 3: 0.5860, 4: 0.3352, 8: 0.0308}  # best step for a standard normal, by bits
STEP_BYTES = 2  # fp16


class LowBitRows(Stored):
    """A trainable table of `num_rows` x `width` values of `bits` bits each, and an fp16 step per row.

    Args:
        num_rows: rows M.
        width: values per row, at least 1.
        bits: 1, 2, 3, 4 or 8 per value.
        stochastic: whether training rounds at random, from torch's global generator. Evaluation takes the nearest.

    Raises:
        ConfigError: another number of bits.
    """

    def __init__(self, num_rows: int, width: int, bits: int, *, stochastic: bool = False) -> None:
        super().__init__()
        if bits not in STEPS:
            raise ConfigError(f"bits is {bits}", wanted=f"one of {', '.join(map(str, STEPS))}", fix="try 4")
        self.width, self.bits, self.stochastic = width, bits, stochastic
        self.latent_MD = initial_rows(num_rows, width)
        with torch.no_grad():  # rounding shortens rows; as stored they start with a norm of about 1, as everywhere
            self.latent_MD.div_(rounded(self.latent_MD, bits).norm(dim=1).mean())

    def forward(self, rows_N: Tensor | None = None) -> Tensor:
        """Return rows [N, width] as they are stored, of row numbers [N]; by default all."""
        return self.rounded(self.latent_MD if rows_N is None else self.latent_MD.index_select(0, rows_N))

    def rounded(self, latent_ND: Tensor) -> Tensor:
        """Return some of the latent rows as they are stored, or in training as `stochastic` says."""
        return rounded(latent_ND, self.bits, stochastic=self.stochastic and self.training)

    def at_rest(self) -> dict[str, Tensor]:
        """Return packed codes, uint8, and steps [M], fp16."""
        codes_MD, step_M1 = quantise(self.latent_MD.detach().float(), self.bits)
        return {"codes": pack(codes_MD, self.bits), "step": step_M1.flatten()}

    @staticmethod
    def bytes_of(num_rows: int, width: int, bits: int) -> int:
        """Return the bytes at rest of such a table."""
        return packed_bytes(num_rows * width, bits) + num_rows * STEP_BYTES


def rounded(latent_ND: Tensor, bits: int, *, stochastic: bool = False) -> Tensor:
    """Return the values that would be stored; their gradient is that of the latent ones."""
    codes_ND, step_N1 = quantise(latent_ND.detach().float(), bits, stochastic=stochastic)
    change_ND: Tensor = dequantise(codes_ND, step_N1, bits).to(latent_ND.dtype) - latent_ND.detach()
    return latent_ND + change_ND


def quantise(values_ND: Tensor, bits: int, *, stochastic: bool = False) -> tuple[Tensor, Tensor]:
    """Return codes [N, D], uint8 below 2^bits, and the step of each row [N, 1], fp16."""
    rms_N1 = values_ND.square().mean(dim=1, keepdim=True).sqrt()
    smallest = torch.finfo(torch.float16).tiny
    step_N1 = (rms_N1 * STEPS[bits]).clamp(min=smallest, max=torch.finfo(torch.float16).max)
    # the 10 bits of an fp16 fraction; by bits, as compilers leave out a cast to fp16 and back
    step_N1 = ((step_N1.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32).half()
    levels = 1 << bits
    places_ND = values_ND / step_N1.float()
    if stochastic:  # half a step up or down at most, so that the mean is the value itself
        places_ND = places_ND + torch.rand_like(places_ND) - 0.5
    codes_ND = places_ND.floor().add(levels // 2).clamp(0, levels - 1)
    return codes_ND.to(torch.uint8), step_N1


def dequantise(codes_ND: Tensor, step_N1: Tensor, bits: int) -> Tensor:
    """Return the fp32 values [N, D] of codes."""
    return (codes_ND.float() + (0.5 - (1 << bits - 1))) * step_N1.float()


def packed_bytes(count: int, bits: int) -> int:
    """Return the bytes of `count` codes of `bits` bits, packed."""
    return -(-count * bits // 8)


def pack(codes: Tensor, bits: int) -> Tensor:
    """Pack non-negative integers below 2^bits, in row order, into uint8 [bytes]; the lowest bits come first."""
    shifts = torch.arange(bits, device=codes.device)
    ones = (codes.reshape(-1, 1).long() >> shifts & 1).reshape(-1)
    bytes_N8 = nn.functional.pad(ones, (0, -len(ones) % 8)).view(-1, 8)
    return (bytes_N8 << torch.arange(8, device=codes.device)).sum(dim=1).to(torch.uint8)


def unpack(packed: Tensor, bits: int, count: int) -> Tensor:
    """Return the `count` integers that `pack` packed, int64."""
    ones = (packed.long()[:, None] >> torch.arange(8, device=packed.device) & 1).reshape(-1)[: count * bits]
    return (ones.view(count, bits) << torch.arange(bits, device=packed.device)).sum(dim=1)
