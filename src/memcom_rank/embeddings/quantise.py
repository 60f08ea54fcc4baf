"""Embedding room (floor 1): the arithmetic of numbers in few bits.

Takes rows of floats -> gives rows of 2^bits levels, a step per row, and their packed form. The levels are
+-1/2, +-3/2, ... steps; the step is the best one for normally distributed values of the row's root mean square
(Max 1960, "Quantizing for Minimum Distortion", table II; 8 bits: by the same method).
"""

import torch
from torch import Tensor, nn

STEPS = {1: 1.5956, 2: 0.9957, 3: 0.5860, 4: 0.3352, 8: 0.0308}  # best step for a standard normal, by bits
STEP_BYTES = 2  # fp16
_PIECE = 2**16  # codes packed at once: a multiple of 8, so that they fill whole bytes


def rounded(latent: Tensor, bits: int, noise: Tensor | None = None, *, step: Tensor | None = None) -> Tensor:
    """Return the values that would be stored; their gradient is that of the latent ones.

    It is `dequantise(*quantise(latent), bits)` without the codes, in half the time.

    Args:
        latent: floats [..., D].
        bits, noise, step: as for `quantise`.
    """
    values, half = latent.detach().float(), 1 << bits - 1
    step = (best_step(values, bits) if step is None else step).float()
    places = values / step
    if noise is not None:
        places += noise
    change = places.floor_().clamp_(-half, half - 1).add_(0.5).mul_(step).to(latent.dtype).sub_(latent.detach())
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
    """Pack non-negative integers below 2^bits, in row order, into uint8 [bytes]; the lowest bits come first.

    In pieces, so that beside the result it takes a few megabytes.
    """
    return torch.cat([_pack(piece_N, bits) for piece_N in torch.split(codes.reshape(-1), _PIECE)])


def unpack(packed: Tensor, bits: int, count: int) -> Tensor:
    """Return the `count` integers that `pack` packed, int64."""
    pieces = torch.split(packed, _PIECE // 8 * bits)
    return torch.cat([_unpack(piece_N, bits) for piece_N in pieces])[:count]


def _pack(codes_N: Tensor, bits: int) -> Tensor:
    codes_G8 = nn.functional.pad(codes_N.long(), (0, -len(codes_N) % 8)).view(-1, 8)  # 8 codes fill `bits` bytes
    bytes_GC = codes_G8.new_zeros(len(codes_G8), bits)
    for place, byte, shift in _overlaps(bits):
        bytes_GC[:, byte] |= codes_G8[:, place] << shift if shift >= 0 else codes_G8[:, place] >> -shift
    return (bytes_GC & 255).to(torch.uint8).flatten()[: packed_bytes(len(codes_N), bits)]


def _unpack(packed_N: Tensor, bits: int) -> Tensor:
    bytes_GC = nn.functional.pad(packed_N, (0, -len(packed_N) % bits)).view(-1, bits).long()
    codes_G8 = bytes_GC.new_zeros(len(bytes_GC), 8)
    for place, byte, shift in _overlaps(bits):
        codes_G8[:, place] |= bytes_GC[:, byte] >> shift if shift >= 0 else bytes_GC[:, byte] << -shift
    return (codes_G8 & (1 << bits) - 1).flatten()


def _overlaps(bits: int) -> list[tuple[int, int, int]]:
    """Return which of 8 codes lies in which of their `bits` bytes, and how far left from the byte's lowest bit."""
    return [
        (place, byte, place * bits - 8 * byte)
        for place in range(8)
        for byte in range(place * bits // 8, (place * bits + bits - 1) // 8 + 1)
    ]
