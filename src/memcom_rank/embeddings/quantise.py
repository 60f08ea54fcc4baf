"""Embedding room (floor 1): the arithmetic of numbers in few bits.

Takes rows of floats -> gives rows of 2^bits levels, a step per row, and their packed form. The levels are
+-1/2, +-3/2, ... steps; the step is the best one for normally distributed values of the row's root mean square
(Max 1960, "Quantizing for Minimum Distortion", table II; 8 bits: by the same method).
"""

import torch
from torch import Tensor, nn

STEPS = {1: 1.5956, 2: 0.9957, 3: 0.5860, 4: 0.3352, 8: 0.0308}  # best step for a standard normal, by bits
STEP_BYTES = 2  # fp16


def rounded(latent: Tensor, bits: int, noise: Tensor | None = None, *, step: Tensor | None = None) -> Tensor:
    """Return the values that would be stored; their gradient is that of the latent ones.

    Args:
        latent: floats [..., D].
        bits, noise, step: as for `quantise`.
    """
    codes, step = quantise(latent.detach().float(), bits, noise, step=step)
    change: Tensor = dequantise(codes, step, bits).to(latent.dtype) - latent.detach()
    return latent + change


def quantise(
    values: Tensor, bits: int, noise: Tensor | None = None, *, step: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return codes [..., D], uint8 below 2^bits, and the step of each row [..., 1], fp16.

    Args:
        values: fp32 values [..., D].
        bits: 1, 2, 3, 4 or 8 per value.
        noise: what to add to each value before its level is chosen, in steps; None for nothing.
        step: the steps, None for the best ones.
    """
    step = best_step(values, bits) if step is None else step
    levels = 1 << bits
    places = values / step.float()
    if noise is not None:
        places = places + noise
    return places.floor().add(levels // 2).clamp(0, levels - 1).to(torch.uint8), step


def best_step(values: Tensor, bits: int) -> Tensor:
    """Return the step that each row of fp32 values [..., D] is best rounded with: [..., 1], fp16."""
    rms = values.square().mean(dim=-1, keepdim=True).sqrt()
    smallest = torch.finfo(torch.float16).tiny
    step = (rms * STEPS[bits]).clamp(min=smallest, max=torch.finfo(torch.float16).max)
    # the 10 bits of an fp16 fraction; by bits, as compilers leave out a cast to fp16 and back
    return ((step.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32).half()


def dequantise(codes: Tensor, step: Tensor, bits: int) -> Tensor:
    """Return the fp32 values [..., D] of codes, with the step of each row [..., 1]."""
    return (codes.float() + (0.5 - (1 << bits - 1))) * step.float()


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
