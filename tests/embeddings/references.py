"""Slow, plain twins of the techniques: one id at a time, the formula as the paper writes it, no shared code."""

import math
from hashlib import sha256

import torch
from torch import Tensor


def full(state: dict[str, Tensor], i: int) -> Tensor:
    return state["table.rows_MW"][i]


def naive_hash(state: dict[str, Tensor], i: int) -> Tensor:
    num_rows = len(state["rows.rows_MW"])
    game = i - 2
    while game < 0:  # only the unknown id, 1: the row before row 0 is the last
        game += num_rows
    while game >= num_rows:
        game -= num_rows
    return state["rows.rows_MW"][game]


def memcom(state: dict[str, Tensor], i: int) -> Tensor:
    vector = naive_hash(state, i) * state["scale.values_N"][i]
    return vector + state["bias.values_N"][i] if "bias.values_N" in state else vector


def stored(latent: Tensor, bits: int) -> Tensor:
    """A row as it is stored, value by value; its gradient is that of the latent one."""
    best = {1: 1.5956, 2: 0.9957, 3: 0.5860, 4: 0.3352, 8: 0.0308}[bits]
    values = latent.detach().float().tolist()
    step = torch.tensor(best * (sum(x * x for x in values) / len(values)) ** 0.5).half().item()
    levels = [(number - (2**bits - 1) / 2) * step for number in range(2**bits)]
    nearest = torch.tensor([min(levels, key=lambda level: abs(level - x)) for x in values])
    return latent + (nearest - latent).detach()


def low_bit(state: dict[str, Tensor], i: int, bits: int, dim: int = 8) -> Tensor:
    row = stored(state["table.rows_MW"][i], bits)
    return torch.cat([row, row.new_zeros(dim - len(row))])


def hashed(i: int, number: int, size: int) -> int:
    """Hash function `number`, in Python's integers; sum of powers instead of Horner's rule."""
    digest = sha256(b"memcom-rank hash %d" % number).hexdigest()
    a, b, c = (int(digest[at : at + 8], 16) for at in (0, 8, 16))
    return (a * i**2 + b * i + c) % (2**31 - 1) % size


def truncated(state: dict[str, Tensor], i: int) -> Tensor:
    own, *shared = state["rows.rows_MW"].split([len(state["rows.rows_MW"]) - 1, 1])
    return own[i - 2] if 2 <= i < 2 + len(own) else shared[0][0]


def frequency_double_hash(state: dict[str, Tensor], i: int, *, own_share: float) -> Tensor:
    rows = state["rows.rows_MW"]
    hashed_rows = max(round((1 - own_share) * len(rows) / 2), 1)
    while len(rows) - 2 * hashed_rows < 1:
        hashed_rows -= 1
    own = len(rows) - 2 * hashed_rows
    if 2 <= i < 2 + own:
        return rows[i - 2]
    _, first, second = rows.split([own, hashed_rows, hashed_rows])
    return first[hashed(i, 0, hashed_rows)] + second[hashed(i, 1, hashed_rows)]


def feature_hash(state: dict[str, Tensor], i: int, *, num_hashes: int = 1) -> Tensor:
    rows = state["rows.rows_MW"]
    one_hot = torch.zeros(len(rows), dtype=rows.dtype)
    for k in range(num_hashes):
        one_hot[hashed(i, 2 * k, len(rows))] += (-1, 1)[hashed(i, 2 * k + 1, 2)]
    return one_hot / num_hashes**0.5 @ rows


def hash_embedding(state: dict[str, Tensor], i: int) -> Tensor:
    rows, weights = state["rows.rows_MW"], [value[i] for name, value in state.items() if name.startswith("weights.")]
    return sum(weight * rows[hashed(i, k, len(rows))] for k, weight in enumerate(weights))


def double_hash(state: dict[str, Tensor], i: int, *, combine: str) -> Tensor:
    first, second = (state[name] for name in ("first.rows_MW", "second.rows_MW"))
    return _combined(first[hashed(i, 0, len(first))], second[hashed(i, 1, len(second))], combine)


def quotient_remainder(state: dict[str, Tensor], i: int, *, combine: str) -> Tensor:
    quotients, remainders = state["first.rows_MW"], state["second.rows_MW"]
    quotient, remainder = 0, i - 1
    while remainder >= len(remainders):
        quotient, remainder = quotient + 1, remainder - len(remainders)
    return _combined(quotients[quotient], remainders[remainder], combine)


def _combined(first: Tensor, second: Tensor, combine: str) -> Tensor:
    return {"add": first + second, "multiply": first * second, "concat": torch.cat([first, second])}[combine]


def low_rank(state: dict[str, Tensor], i: int) -> Tensor:
    return sum(factor * row for factor, row in zip(state["factors.rows_MW"][i], state["rows.rows_MW"], strict=True))


def reduced_dim(state: dict[str, Tensor], i: int, *, dim: int = 8) -> Tensor:
    own = state["table.rows_MW"][i]
    return torch.cat([own, torch.zeros(dim - len(own), dtype=own.dtype)])


def mixed_dim(state: dict[str, Tensor], i: int) -> Tensor:
    block, place = 0, i - 1
    while place >= len(state[f"tables.{block}.rows_MW"]):
        place -= len(state[f"tables.{block}.rows_MW"])
        block += 1
    own = state[f"tables.{block}.rows_MW"][place]
    return own @ state[f"widen.{block}.rows_MW"] if f"widen.{block}.rows_MW" in state else own


def mixed_dim_bytes(v: int, e: int, widths: list[int]) -> int:
    ends = sorted({round((v - 1) ** (f / 4)) for f in range(1, 5)})
    sizes = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return sum(4 * min(d * (n + e), n * e) for d, n in zip(widths, sizes, strict=True))


def mem_rec(state: dict[str, Tensor], i: int, rows_per_id: int = 2, scales_per_id: int = 2) -> Tensor:
    rows_MD, scales_S = state["rows.rows_MW"], state["scales.values_N"]
    vector, factor = rows_MD[(i - 2) % len(rows_MD)], scales_S[(i - 2) % len(scales_S)]
    for number in range(1, rows_per_id):
        vector = vector + rows_MD[hashed(i, number, len(rows_MD))]
    for number in range(rows_per_id, rows_per_id + scales_per_id - 1):
        factor = factor + scales_S[hashed(i, number, len(scales_S))]
    return factor * vector


def learned_hash(state: dict[str, Tensor], i: int) -> Tensor:
    return state["rows.rows_MW"][state["row_of.codes"][i, 0].item()]


def mec(state: dict[str, Tensor], i: int) -> Tensor:
    codes, words_NP = state["codes.codes"][i].tolist(), state["words.rows_MW"]
    num_codewords = len(words_NP) // len(codes)
    return torch.cat([words_NP[s * num_codewords + code] for s, code in enumerate(codes)])


def amtl(state: dict[str, Tensor], i: int, num_values: int) -> Tensor:
    """The price is the lowest of all at which a width changes that is high enough."""
    rows_MD, ends = state["table.rows_MW"], state["table.ends_P"].tolist()
    num_rows, dim = rows_MD.shape
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    networks = [[state[f"table.networks.{n}.{k}.{p}"] for k in (0, 2) for p in ("weight", "bias")] for n in (0, 1)]
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
    rows_MD, latent_MD = state["table.tables.0.rows_MW"], state["table.tables.1.rows_MW"]
    if i <= len(rows_MD):
        return rows_MD[i - 1]
    return stored(latent_MD[i - 1 - len(rows_MD)], bits)


def deep_hash(state: dict[str, Tensor], i: int) -> Tensor:
    first = state["network.0.weight"]
    hashes = torch.tensor([hashed(i, number, 10**6) for number in range(first.shape[1])])
    units = (hashes * (2 / (10**6 - 1)) - 1).to(first)  # from -1 to 1, rounded to fp32 whatever the network's type
    last = max(int(name.split(".")[1]) for name in state)
    for number in range(0, last, 3):  # linear, Mish, norm
        units = state[f"network.{number}.weight"] @ units + state[f"network.{number}.bias"]
        units = units * torch.tanh(torch.log1p(torch.exp(units)))
        units = units / (units.square().sum() / len(units) + 1e-6).sqrt()
    return state[f"network.{last}.weight"] @ units + state[f"network.{last}.bias"]


def residual_codes(state: dict[str, Tensor], i: int, bits: int) -> Tensor:
    codes, rows = state["codes.codes"][i].tolist(), state["codebooks.rows_MW"]
    per_book = len(rows) // len(codes)
    vector = sum(stored(rows[book * per_book + code], bits) for book, code in enumerate(codes))
    return vector * stored(state["scale.values_N"], 8)[i] if "scale.values_N" in state else vector


def merge_rare(state: dict[str, Tensor], i: int, own: bool, bits: int = 2) -> Tensor:
    popular, rare = state["table.tables.0.rows_MW"], state["table.tables.1.rows_MW"]
    place = i - 1 - len(popular)
    if place < 0:
        return stored(popular[i - 1], bits)
    codes = state["table.tables.1.row_of.codes"]
    return rare[place] if own else stored(rare[len(codes) + codes[place, 0].item()], 4)


def merge_rare_bytes(v: int, e: int, sizes, bits: int = 2) -> int:
    popular, shared = sizes
    map_bits = (v - 1 - popular) * max((shared - 1).bit_length(), 1)
    return -(-popular * e * bits // 8) - (-shared * e * 4 // 8) + 2 * (popular + shared) - (-map_bits // 8)


def table(reference, state: dict[str, Tensor], num_ids: int) -> Tensor:
    """Every vector, [num_ids, dim]; padding is the zero vector."""
    vectors = [reference(state, i) for i in range(1, num_ids)]
    return torch.stack([torch.zeros_like(vectors[0]), *vectors])


def best_games(scores_BV: Tensor, seen_BL: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best unseen games of each user, by sorting in Python: by score, then by id; padded with 0 and -inf."""
    ids_Bk = torch.zeros(len(scores_BV), k, dtype=torch.int64)
    scores_Bk = torch.full((len(scores_BV), k), -torch.inf, dtype=scores_BV.dtype)
    for user, (scores, seen) in enumerate(zip(scores_BV.tolist(), seen_BL.tolist(), strict=True)):
        games = [game for game in range(2, len(scores)) if game not in seen and scores[game] > -torch.inf]
        best = sorted(games, key=lambda game: (-scores[game], game))[:k]
        ids_Bk[user, : len(best)] = torch.tensor(best, dtype=torch.int64)
        scores_Bk[user, : len(best)] = scores_BV[user, best]
    return ids_Bk, scores_Bk
