"""Slow, plain twins of the techniques: one id at a time, the formula as the paper writes it, no shared code."""

import math

import torch
from torch import Tensor

from memcom_rank.embeddings.low_bit import STEPS


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


# a and b of the first universal hashes
HASHES = [
    (60845732, 1536941989),
    (454736306, 1417372829),
    (1049532998, 1135419169),
    (1364172252, 1596389427),
    (1029664008, 91083495),
]


def universal_hash(i: int, num_rows: int, number: int) -> int:
    a, b = HASHES[number]
    return (a * (i - 2) + b) % (2**31 - 1) % num_rows


def mem_rec(state: dict[str, Tensor], i: int, rows_per_id: int = 2, scales_per_id: int = 2) -> Tensor:
    rows_MD, scales_S = state["rows_MD"], state["scales_S"]
    vector, factor = rows_MD[(i - 2) % len(rows_MD)], scales_S[(i - 2) % len(scales_S)]
    for number in range(1, rows_per_id):
        vector = vector + rows_MD[universal_hash(i, len(rows_MD), number)]
    for number in range(rows_per_id, rows_per_id + scales_per_id - 1):
        factor = factor + scales_S[universal_hash(i, len(scales_S), number)]
    return factor * vector


def learned_hash(state: dict[str, Tensor], i: int) -> Tensor:
    return state["rows_MD"][state["row_of.codes"][i, 0].item()]


def mec(state: dict[str, Tensor], i: int) -> Tensor:
    codes, words_NP = state["codes.codes"][i].tolist(), state["words_NP"]
    num_codewords = len(words_NP) // len(codes)
    return torch.cat([words_NP[s * num_codewords + code] for s, code in enumerate(codes)])


def amtl(state: dict[str, Tensor], i: int, num_values: int) -> Tensor:
    """The price is the lowest of all at which a width changes that is high enough."""
    rows_MD, ends = state["prefixes.rows_MD"], state["prefixes.ends_P"].tolist()
    num_rows, dim = rows_MD.shape
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    networks = [[state[f"prefixes.networks.{n}.{k}.{p}"] for k in (0, 2) for p in ("weight", "bias")] for n in (0, 1)]
    logits = []
    for b, end in enumerate(ends):
        rarity = math.log(end) / math.log(num_rows)
        seen = torch.tensor([1 - 2 * rarity, 1 - 2 * (b + 1) / len(ends)], dtype=rows_MD.dtype)
        popular, rare = (w2 @ torch.tanh(w1 @ seen + b1) + b2 for w1, b1, w2, b2 in networks)
        start = torch.tensor([4 * math.log(k) for k in range(1, dim + 1)], dtype=rows_MD.dtype)
        logits.append(start + (1 - rarity) * popular + rarity * rare)
    values = [row.tolist() for row in logits]

    def widths(price: float) -> list[int]:
        return [max(range(1, dim + 1), key=lambda k, row=row: row[k - 1] - price * k) for row in values]

    turns = sorted((row[k] - row[j]) / (k - j) for row in values for k in range(dim) for j in range(k))
    prices = [price + 1e-5 for price in (turns[0] - 1, *turns)]
    price = next(p for p in prices if sum(n * k for n, k in zip(sizes, widths(p), strict=True)) <= num_values)
    chosen = widths(price)
    left = num_values - sum(n * k for n, k in zip(sizes, chosen, strict=True))
    for b, size in enumerate(sizes):
        while size and left >= size and chosen[b] < dim:
            chosen[b], left = chosen[b] + 1, left - size
    bucket = next(b for b, end in enumerate(ends) if i - 1 < end)
    shares = torch.softmax(logits[bucket] - price * torch.arange(1, dim + 1), dim=0)
    masks = []
    for place in range(dim):
        soft = shares[place:].sum()
        masks.append(float(place < chosen[bucket]) + soft - soft.detach())
    return torch.stack(masks) * rows_MD[i - 1] * math.sqrt(dim / chosen[bucket])


def mixed_precision(state: dict[str, Tensor], i: int, bits: int) -> Tensor:
    rows_MD, latent_MD = state["rows_MD"], state["low.latent_MD"]
    if i <= len(rows_MD):
        return rows_MD[i - 1]
    row = latent_MD[i - 1 - len(rows_MD)]
    step = (row.detach().square().mean().sqrt() * STEPS[bits]).half().item()
    levels = [(code + 0.5) * step for code in range(-(2 ** (bits - 1)), 2 ** (bits - 1))]
    nearest = torch.tensor([min(levels, key=lambda level, x=x: abs(level - x)) for x in row.tolist()])
    return nearest.to(row.dtype) + row - row.detach()  # straight through


def deep_hash(state: dict[str, Tensor], i: int) -> Tensor:
    num_hashes = state["network.0.weight"].shape[1]
    units = torch.tensor([universal_hash(i, 10**6, number) / (10**6 - 1) * 2 - 1 for number in range(num_hashes)])
    last = max(int(name.split(".")[1]) for name in state)
    for number in range(0, last, 3):  # linear, Mish, norm
        units = state[f"network.{number}.weight"] @ units + state[f"network.{number}.bias"]
        units = units * torch.tanh(torch.log1p(torch.exp(units)))
        units = units / (units.square().sum() / len(units) + 1e-6).sqrt()
    return state[f"network.{last}.weight"] @ units + state[f"network.{last}.bias"]


def table(reference, state: dict[str, Tensor], num_ids: int) -> Tensor:
    """Every vector, [num_ids, dim]; padding is the zero vector."""
    vectors = [reference(state, i) for i in range(1, num_ids)]
    return torch.stack([torch.zeros_like(vectors[0]), *vectors])
