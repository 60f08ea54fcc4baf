"""Slow, plain twins of the techniques: one id at a time, the formula as the paper writes it, no shared code."""

import torch
from torch import Tensor


def full(state: dict[str, Tensor], i: int) -> Tensor:
    return state["table_VD"][i]


def naive_hash(state: dict[str, Tensor], i: int) -> Tensor:
    num_rows = len(state["rows_MD"])
    game = i - 2
    while game < 0:  # only the unknown id, 1: the row before row 0 is the last
        game += num_rows
    while game >= num_rows:
        game -= num_rows
    return state["rows_MD"][game]


def memcom(state: dict[str, Tensor], i: int) -> Tensor:
    vector = naive_hash(state, i) * state["scale_V"][i]
    return vector + state["bias_V"][i] if "bias_V" in state else vector


def stored(latent: Tensor, bits: int) -> Tensor:
    """A row as it is stored, value by value; its gradient is that of the latent one."""
    best = {1: 1.5956, 2: 0.9957, 3: 0.5860, 4: 0.3352, 8: 0.0308}[bits]
    values = latent.detach().float().tolist()
    step = torch.tensor(best * (sum(x * x for x in values) / len(values)) ** 0.5).half().item()
    levels = [(number - (2**bits - 1) / 2) * step for number in range(2**bits)]
    nearest = torch.tensor([min(levels, key=lambda level: abs(level - x)) for x in values])
    return latent + (nearest - latent).detach()


def low_bit(state: dict[str, Tensor], i: int, bits: int, dim: int = 8) -> Tensor:
    row = stored(state["table.latent_MD"][i], bits)
    return torch.cat([row, row.new_zeros(dim - len(row))])


def table(reference, state: dict[str, Tensor], num_ids: int) -> Tensor:
    """Every vector, [num_ids, dim]; padding is the zero vector."""
    vectors = [reference(state, i) for i in range(1, num_ids)]
    return torch.stack([torch.zeros_like(vectors[0]), *vectors])
