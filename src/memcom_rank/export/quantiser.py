"""Export room (floor 4): rounding after training. Takes trained floats -> gives codes and steps.

Rows get a step each: of a few, the one of least squared error. Numbers per id get a smallest value and a step per
block of neighbours, which are of about the same popularity.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from memcom_rank.embeddings.quantise import dequantise, quantise

BLOCK = 64  # numbers that share a smallest value and a step
_STEPS = {2: (0.3, 1.0), 4: (0.4, 1.0), 8: (0.7, 1.0)}  # least and greatest step to try, in those that reach all values
_TRIES = 24


def quantise_rows(rows_MW: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Return codes [M, W], uint8 below 2^bits, and a step per row [M], fp16."""
    largest_M1 = rows_MW.abs().amax(dim=1, keepdim=True)
    best_error_M1 = torch.full_like(largest_M1, torch.inf)
    best_codes_MW = torch.zeros_like(rows_MW, dtype=torch.uint8)
    best_step_M1 = torch.zeros_like(largest_M1, dtype=torch.float16)
    for share in torch.linspace(*_STEPS[bits], _TRIES).tolist():
        step_M1 = _half(largest_M1 * share / (2 ** (bits - 1) - 0.5))
        codes_MW, _ = quantise(rows_MW, bits, step=step_M1)
        error_M1 = (dequantise(codes_MW, step_M1, bits) - rows_MW).square().sum(dim=1, keepdim=True)
        better_M1 = error_M1 < best_error_M1
        best_error_M1 = torch.where(better_M1, error_M1, best_error_M1)
        best_codes_MW = torch.where(better_M1, codes_MW, best_codes_MW)
        best_step_M1 = torch.where(better_M1, step_M1, best_step_M1)
    return best_codes_MW, best_step_M1[:, 0]


def quantise_scalars(values_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return codes [N], uint8, and of each block its smallest value, fp32, and its step, fp16: value + code * step."""
    blocks_KB = pad(values_N[None], (0, -len(values_N) % BLOCK), mode="replicate").view(-1, BLOCK)
    least_K1, most_K1 = blocks_KB.amin(dim=1, keepdim=True), blocks_KB.amax(dim=1, keepdim=True)
    step_K1 = _half((most_K1 - least_K1) / 255)
    codes_KB = ((blocks_KB - least_K1) / step_K1.float()).round().clamp(0, 255)
    return codes_KB.to(torch.uint8).flatten()[: len(values_N)], least_K1[:, 0], step_K1[:, 0]


def _half(step: Tensor) -> Tensor:
    limits = torch.finfo(torch.float16)
    return step.clamp(min=limits.tiny, max=limits.max).half()
