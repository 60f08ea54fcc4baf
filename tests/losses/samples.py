"""Scores to try losses on."""

import torch


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def sample(n=6, k=5, *, seed=0, scale=1.0):
    """(preferred_N, other_NK, real_NK, log_q_NK, weights_N), float64; the first hidden game has no real candidate."""
    real_NK = draw(n, k, seed=seed + 2) > -0.5
    real_NK[:1] = False
    log_q_K = -draw(k, seed=seed + 3).abs()
    return scale * draw(n, seed=seed), scale * draw(n, k, seed=seed + 1), real_NK, log_q_K, draw(n, seed=seed + 4).abs()


def mean_of_a_loop(of_one, preferred_N, other_NK, real_NK, log_q_K, weights_N):
    """The weighted mean of of_one(score, [(score of candidate, its log q), ...]) over hidden games that have one."""
    top = bottom = 0.0
    for n, weight in enumerate(weights_N.tolist()):
        rows = zip(other_NK[n].tolist(), log_q_K.tolist(), real_NK[n].tolist(), strict=True)
        others = [(score, log_q) for score, log_q, real in rows if real]
        top += weight * of_one(preferred_N[n].item(), others) if others else 0.0
        bottom += weight
    return top / bottom
