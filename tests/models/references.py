"""Small rankers, and their scores by loops over users, history games and games, straight from the docstrings."""

import math

import torch

from memcom_rank.embeddings import Full, MEmCom, NaiveHash

NUM_IDS, DIM = 14, 6
EMBEDDINGS = {
    "full": lambda: Full(NUM_IDS, DIM),
    "memcom": lambda: MEmCom(NUM_IDS, DIM, bias=True, budget_bytes=4 * (4 * DIM + 2 * NUM_IDS)),
    "memcom_no_bias": lambda: MEmCom(NUM_IDS, DIM, bias=False, budget_bytes=4 * (4 * DIM + NUM_IDS)),
    "naive_hash": lambda: NaiveHash(NUM_IDS, DIM, target_ratio=2),
}
HISTORIES = torch.tensor([[2, 3, 5, 13], [4, 1, 0, 0], [0, 0, 0, 0], [7, 6, 2, 0], [3, 0, 0, 0]])


def stirred(module, seed=0):
    """Give every parameter values of its own; scalars that start at 0 or 1 would hide mistakes."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draw) * 0.3)
    return module.eval()


def dot(first, second):
    return sum(a * b for a, b in zip(first, second, strict=True))


def pooled_query(table, games, power):
    """tanh(sum_i emb(i) / n^power)."""
    return [math.tanh(sum(table[game][d] for game in games) / max(len(games), 1) ** power) for d in range(DIM)]


def pool_scores(match, embedding, history_BL):
    table = embedding.dense().tolist()
    queries = [pooled_query(table, [g for g in own if g], match.power) for own in history_BL.tolist()]
    return torch.tensor([[dot(query, vector) for vector in table] for query in queries])


def log_sum_exp_scores(match, embedding, history_BL):
    table, gain = embedding.dense().tolist(), match.gain.tolist()
    cut = DIM - match.match_dim
    scores = []
    for own in history_BL.tolist():
        games = [game for game in own if game]
        query, scale = pooled_query(table, games, match.power), max(len(games), 1) ** match.power
        row = []
        for other in table:
            near = [
                math.exp(sum(g * a * b for g, a, b in zip(gain, table[game][cut:], other[cut:], strict=True)))
                for game in games
            ]
            row.append(dot(query[:cut], other[:cut]) + math.log(math.exp(match.floor.item()) + sum(near) / scale))
        scores.append(row)
    return torch.tensor(scores)


def mixture_scores(match, embedding, history_BL):
    table, scores = embedding.dense().tolist(), []
    for own in history_BL.tolist():
        evidence = [sum(table[game][d] for game in own if game) * match.sharpness.item() for d in range(DIM)]
        total = sum(math.exp(value) for value in evidence)
        tastes = [math.exp(value) / total for value in evidence]
        shares = [[math.exp(value) for value in vector] for vector in table]
        scores.append([math.log(DIM * dot(tastes, share) / sum(share)) for share in shares])
    return torch.tensor(scores)
