"""Embedding room (floor 1): which games are alike, learned from who has them, before any training.

Takes the training games of users -> gives factors of games (truncated SVD, as in RecJPQ, Petrov and Macdonald 2024,
arXiv 2312.06165) and clusters of them (k-means, weighted: popular games count more, as in arXiv 2203.15837).
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

_PIECE = 2**24  # distances held at once: 64 MB of fp32


def game_factors(users_N: Tensor, ids_N: Tensor, *, num_ids: int, width: int) -> Tensor:
    """Return factors [num_ids, width] of the users x games matrix: games of the same users point the same way.

    Each 1 is divided by the roots of its user's and of its game's number of games, so that neither long histories nor
    popular games fill the first factors. Rows have norm 1; those of ids that nobody has are 0, as are factors beyond
    the matrix' rank.

    Args:
        users_N, ids_N: int64, user row and id of every training game of a user.
        num_ids: vocabulary.
        width: factors wanted.
    """
    num_users = int(users_N.max()) + 1 if len(users_N) else 1
    ones_N = torch.ones(len(users_N), device=users_N.device)
    games_U = torch.zeros(num_users, device=ones_N.device).index_add_(0, users_N, ones_N)
    users_V = torch.zeros(num_ids, device=ones_N.device).index_add_(0, ids_N, ones_N)
    values_N = (games_U[users_N] * users_V[ids_N]) ** -0.5
    places_2N, shape = torch.stack([ids_N, users_N]), (num_ids, num_users)
    matrix_VU = torch.sparse_coo_tensor(places_2N, values_N, shape, check_invariants=True).coalesce()
    rank = min(width + 8, num_ids, num_users)  # a few more than wanted make the wanted ones exact
    left_VR, values_R, _ = torch.svd_lowrank(matrix_VU, q=rank, niter=4)
    factors_VW = (left_VR * values_R)[:, :width]
    factors_VW = pad(factors_VW, (0, width - factors_VW.shape[1])) * (users_V[:, None] > 0)
    return normalize(factors_VW, dim=1)


def kmeans(
    points_ND: Tensor,
    num_clusters: int,
    weights_N: Tensor,
    *,
    iterations: int = 15,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Return centres [K, D] and the number of each point's nearest centre, int64 [N].

    The first centres are points drawn by weight; a centre that loses all its points takes over the point that lies
    worst (weight times squared distance). K may exceed N: then some centres repeat points.

    Args:
        points_ND: the points.
        num_clusters: K.
        weights_N: how much each point counts, at least 0 and not all 0.
        iterations: rounds of Lloyd's algorithm.
        generator: of the first centres; by default torch's global one.
    """
    weights_N = weights_N.float()
    drawn = torch.multinomial(weights_N.clamp(min=1e-12), min(num_clusters, len(points_ND)), generator=generator)
    centres_KD = points_ND[drawn.repeat(-(-num_clusters // len(drawn)))[:num_clusters]].clone()
    for _ in range(iterations):
        nearest_N, distance_N = _nearest(points_ND, centres_KD)
        mass_K = torch.zeros(num_clusters, device=points_ND.device).index_add_(0, nearest_N, weights_N)
        sums_KD = torch.zeros_like(centres_KD).index_add_(0, nearest_N, points_ND * weights_N[:, None])
        empty_E = (mass_K == 0).nonzero()[:, 0]
        centres_KD = sums_KD / mass_K.clamp(min=1e-12)[:, None]
        worst_E = (distance_N * weights_N).topk(min(len(empty_E), len(points_ND))).indices
        centres_KD[empty_E[: len(worst_E)]] = points_ND[worst_E]
    return centres_KD, _nearest(points_ND, centres_KD)[0]


def _nearest(points_ND: Tensor, centres_KD: Tensor) -> tuple[Tensor, Tensor]:
    """Return the number of the nearest centre and the squared distance to it, [N] each."""
    squares_K = centres_KD.square().sum(dim=1)
    pieces = torch.split(points_ND, max(_PIECE // len(centres_KD), 1))
    found = [(squares_K - 2 * piece_PD @ centres_KD.T).min(dim=1) for piece_PD in pieces]
    nearest_N = torch.cat([indices for _, indices in found])
    distance_N = torch.cat([values for values, _ in found]) + points_ND.square().sum(dim=1)
    return nearest_N, distance_N.clamp(min=0)
