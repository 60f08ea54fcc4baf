"""Scores to try losses on."""

import torch


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def sample(n=6, k=5, *, seed=0, scale=1.0):
    """(preferred_N, user_N, other_BK, real_BK, log_q_K, weights_N), float64.

    The first user hides one game and has no real candidate, the others hide two (the last one perhaps one).
    """
    user_N = (torch.arange(n) + 1) // 2
    shape = (int(user_N[-1]) + 1, k)
    real_BK = draw(*shape, seed=seed + 2) > -0.5
    real_BK[0] = False
    preferred_N, other_BK = scale * draw(n, seed=seed), scale * draw(*shape, seed=seed + 1)
    return preferred_N, user_N, other_BK, real_BK, -draw(k, seed=seed + 3).abs(), draw(n, seed=seed + 4).abs()


def one_each(preferred_N, other_NK, *, log_q_K=None, weights_N=None):
    """The arguments of a loss for users who hide one game each and whose candidates all count."""
    n, k = other_NK.shape
    log_q_K, weights_N = (
        torch.zeros(k) if log_q_K is None else log_q_K,
        torch.ones(n) if weights_N is None else weights_N,
    )
    return preferred_N, torch.arange(n), other_NK, torch.ones(n, k, dtype=torch.bool), log_q_K, weights_N


def mean_of_a_loop(of_one, preferred_N, user_N, other_BK, real_BK, log_q_K, weights_N):
    """The weighted mean of of_one(score, [(score of candidate, its log q), ...]) over hidden games that have one."""
    top = bottom = 0.0
    for n, weight in enumerate(weights_N.tolist()):
        user = user_N[n]
        rows = zip(other_BK[user].tolist(), log_q_K.tolist(), real_BK[user].tolist(), strict=True)
        others = [(score, log_q) for score, log_q, real in rows if real]
        top += weight * of_one(preferred_N[n].item(), others) if others else 0.0
        bottom += weight
    return top / bottom
