"""Embedding room (floor 1): a product quantiser trained by gradient: vectors -> a few codes each, and codebooks.

Takes points and how much each counts -> gives codes and codewords. Each vector is cut into parts, and each part is
replaced by the nearest codeword of its codebook (Jegou et al. 2011, "Product Quantization for Nearest Neighbor
Search").
As in MEC (arXiv 2502.15355): points are drawn by weight, the gradient passes the choice of a codeword straight through,
and an entropy term spreads the codes over the codewords.
"""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

_STEPS = 300
_CHOICES = 2**19  # points x parts x codewords of a step: bounds its time and memory
_LEARNING_RATE = 0.08  # of Adam, as a share of a component's root mean square, falling linearly to 0
_TEMPERATURE = 0.02  # of the soft choice, as a share of a part's mean square
_ENTROPY = 0.05  # weight of the entropy, in nats, as a share of a part's mean square


def product_quantiser(
    points_ND: Tensor, weights_N: Tensor, *, num_codebooks: int, num_codewords: int
) -> tuple[Tensor, Tensor]:
    """Return codes [N, S], int64 below K, and codewords [S, K, D / S].

    Draws from torch's global generator. Takes time linear in N once, and bounded time for the training.

    Args:
        points_ND: the points; D is a multiple of S.
        weights_N: how much each counts, at least 0 and not all 0.
        num_codebooks: S.
        num_codewords: K; may exceed N.
    """
    parts_NSP = points_ND.view(len(points_ND), num_codebooks, -1)
    weights_N = weights_N.double()
    drawn = torch.multinomial(weights_N.clamp(min=1e-12), min(num_codewords, len(points_ND)))
    drawn = drawn.repeat(-(-num_codewords // len(drawn)))[:num_codewords]
    words_SKP = parts_NSP[drawn].transpose(0, 1).clone().requires_grad_()
    scale = parts_NSP.square().sum(dim=2).mean().clamp(min=1e-12)
    learning_rate = _LEARNING_RATE * (scale.item() / words_SKP.shape[2]) ** 0.5
    optimizer = torch.optim.Adam([words_SKP])
    batch = max(min(_CHOICES // (num_codebooks * num_codewords), 1024), 64)
    for step in range(_STEPS):
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - step / _STEPS)
        parts_BSP = parts_NSP[torch.multinomial(weights_N, batch, replacement=True)]
        (words_SKP.grad,) = torch.autograd.grad(_loss(parts_BSP, words_SKP, scale), words_SKP)
        optimizer.step()
    words_SKP = words_SKP.detach()
    pieces = torch.split(parts_NSP, batch)
    return torch.cat([_distances(piece_BSP, words_SKP).argmin(dim=2) for piece_BSP in pieces]), words_SKP


def _loss(parts_BSP: Tensor, words_SKP: Tensor, scale: Tensor) -> Tensor:
    """Return the mean squared error of the nearest codewords, less the entropy of the choices, as shares of `scale`."""
    distances_BSK = _distances(parts_BSP, words_SKP) / scale
    soft_BSK = (-distances_BSK / _TEMPERATURE).softmax(dim=2)
    hard_BSK = one_hot(distances_BSK.argmin(dim=2), words_SKP.shape[1]).to(soft_BSK.dtype)
    choice_BSK = hard_BSK + soft_BSK - soft_BSK.detach()  # straight through
    found_BSP = torch.einsum("bsk,skp->bsp", choice_BSK, words_SKP)
    error = (found_BSP - parts_BSP).square().sum(dim=2).mean() / scale
    used_SK = soft_BSK.mean(dim=0).clamp(min=1e-9)  # log 0 has no gradient
    entropy = -(used_SK * used_SK.log()).sum(dim=1).mean()
    return error - _ENTROPY * entropy


def _distances(parts_BSP: Tensor, words_SKP: Tensor) -> Tensor:
    """Return squared distances [B, S, K], up to the square of the point."""
    dots_BSK = torch.einsum("bsp,skp->bsk", parts_BSP, words_SKP)
    return words_SKP.square().sum(dim=2) - 2 * dots_BSK
