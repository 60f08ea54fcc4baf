import math

import pytest
import torch
from torch.nn import functional

from memcom_rank.losses import ranknet_loss, top_heavy_weights


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def pair_loss(preferred, other):
    return math.log1p(math.exp(other - preferred))


def test_closed_form_by_hand():
    preferred, other = torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 1.0], [2.0, -1.0]])
    weights, pair_weights = torch.tensor([1.0, 2.0]), torch.tensor([[0.5, 0.5], [1.0, 3.0]])
    first = 0.5 * pair_loss(1, 0) + 0.5 * pair_loss(1, 1)
    second = 1.0 * pair_loss(0, 2) + 3.0 * pair_loss(0, -1)
    found = ranknet_loss(preferred, other, weights, pair_weights)
    assert found.item() == pytest.approx((1 * first + 2 * second) / 3, rel=1e-6)


@pytest.mark.parametrize("weighted_pairs", [False, True])
def test_many_pairs_equal_a_loop(weighted_pairs):
    preferred_N, other_NK, weights_N = draw(6), draw(6, 5, seed=1), draw(6, seed=2).abs()
    pair_weights_NK = draw(6, 5, seed=3).abs() if weighted_pairs else None
    top = bottom = 0.0
    for n in range(6):
        for k in range(5):
            pair_weight = pair_weights_NK[n, k].item() if weighted_pairs else 1 / 5
            top += weights_N[n].item() * pair_weight * pair_loss(preferred_N[n].item(), other_NK[n, k].item())
        bottom += weights_N[n].item()
    found = ranknet_loss(preferred_N, other_NK, weights_N, pair_weights_NK)
    assert found.item() == pytest.approx(top / bottom, rel=1e-12)


def test_equals_binary_cross_entropy_of_the_difference():
    preferred, other, weights = draw(40), draw(40, seed=1), draw(40, seed=2).abs()
    wanted = functional.binary_cross_entropy(
        torch.sigmoid(preferred - other), torch.ones(40).double(), weights, reduction="sum"
    )
    found = ranknet_loss(preferred, other[:, None], weights)
    assert found.item() == pytest.approx((wanted / weights.sum()).item(), rel=1e-12)


def test_gradients_are_right():
    preferred, other = draw(3).requires_grad_(), draw(3, 4, seed=1).requires_grad_()
    weights, pair_weights = draw(3, seed=2).abs(), draw(3, 4, seed=3).abs()
    assert torch.autograd.gradcheck(lambda a, b: ranknet_loss(a, b, weights, pair_weights), (preferred, other))


def test_pair_and_swapped_pair_differ_by_the_score_difference():
    # log(1 + e^-d) - log(1 + e^d) = -d
    preferred, other, one = draw(1), draw(1, seed=1), torch.ones(1)
    swapped = ranknet_loss(other, preferred[:, None], one)
    assert (ranknet_loss(preferred, other[:, None], one) - swapped).item() == pytest.approx(
        (other - preferred).item(), rel=1e-12
    )


def test_adding_a_constant_to_all_scores_changes_nothing():
    preferred, other, weights = draw(9), draw(9, 3, seed=1), torch.ones(9)
    moved = ranknet_loss(preferred + 5, other + 5, weights)
    assert moved.item() == pytest.approx(ranknet_loss(preferred, other, weights).item(), rel=1e-12)


def test_weight_zero_has_no_loss_and_no_gradient():
    preferred, other = draw(4).requires_grad_(), draw(4, 3, seed=1)
    loss = ranknet_loss(preferred, other, torch.tensor([1.0, 2.0, 0.0, 0.0]))
    loss.backward()
    assert loss.item() == pytest.approx(ranknet_loss(preferred[:2], other[:2], torch.tensor([1.0, 2.0])).item())
    assert preferred.grad[2:].tolist() == [0.0, 0.0]
    assert (preferred.grad[:2] < 0).all()


@pytest.mark.parametrize("number", [0, 3])
def test_nothing_that_counts_gives_zero_and_zero_gradients(number):
    preferred = draw(number).requires_grad_()
    loss = ranknet_loss(preferred, draw(number, 4, seed=1), torch.zeros(number))
    loss.backward()
    assert loss.item() == 0.0
    assert not preferred.grad.any()


def test_extreme_scores_stay_finite():
    preferred = torch.tensor([1e30, -1e30, 3e4], requires_grad=True)
    other = torch.tensor([[-1e30], [1e30], [3e4]])
    weights = top_heavy_weights(preferred, other, torch.ones(3, 1, dtype=torch.bool))
    loss = ranknet_loss(preferred, other, torch.ones(3), weights)
    loss.backward()
    assert loss.isfinite()
    assert weights.isfinite().all()
    assert preferred.grad.isfinite().all()


def test_bf16_scores_are_subtracted_in_fp32_under_autocast():
    preferred, other = draw(500).bfloat16(), draw(500, 3, seed=1).bfloat16()
    weights, real = torch.rand(500, generator=torch.Generator().manual_seed(2)).bfloat16(), torch.ones(500, 3).bool()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pair_weights = top_heavy_weights(preferred, other, real)
        loss = ranknet_loss(preferred, other, weights, pair_weights)
    assert loss.dtype == pair_weights.dtype == torch.float32
    exact = top_heavy_weights(preferred.double(), other.double(), real)
    torch.testing.assert_close(pair_weights.double(), exact, rtol=1e-5, atol=1e-7)
    exact_loss = ranknet_loss(preferred.double(), other.double(), weights.double(), exact)
    assert loss.item() == pytest.approx(exact_loss.item(), rel=1e-5)


def masked(n, k, seed):
    real_NK = draw(n, k, seed=seed) > -0.5
    real_NK[0] = False
    return real_NK


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_top_heavy_gradients_are_those_of_a_sampled_softmax(scale):
    preferred_N, other_NK = (draw(8) * scale).requires_grad_(), (draw(8, 6, seed=1) * scale).requires_grad_()
    real_NK, weights_N = masked(8, 6, seed=2), draw(8, seed=3).abs()
    pair_weights_NK = top_heavy_weights(preferred_N, other_NK, real_NK)
    assert not pair_weights_NK.requires_grad
    found = torch.autograd.grad(
        ranknet_loss(preferred_N, other_NK, weights_N, pair_weights_NK), (preferred_N, other_NK)
    )

    logits = torch.cat([preferred_N[:, None], other_NK.masked_fill(~real_NK, -torch.inf)], dim=1)
    losses_N = functional.cross_entropy(logits, torch.zeros(8, dtype=torch.int64), reduction="none")
    wanted = torch.autograd.grad((weights_N * losses_N).sum() / weights_N.sum(), (preferred_N, other_NK))
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14)


def test_top_heavy_weights_equal_their_formula():
    preferred_N, other_NK, real_NK = draw(5), draw(5, 4, seed=1), masked(5, 4, seed=2)
    found = top_heavy_weights(preferred_N, other_NK, real_NK)
    for n in range(5):
        gaps = [math.exp(other_NK[n, k].item() - preferred_N[n].item()) for k in range(4)]
        total = 1 + sum(gap for gap, real in zip(gaps, real_NK[n].tolist(), strict=True) if real)
        for k in range(4):
            assert found[n, k].item() == pytest.approx((1 + gaps[k]) / total if real_NK[n, k] else 0.0, rel=1e-12)


def test_others_that_do_not_count_change_nothing():
    preferred, other = draw(3), draw(3, 4, seed=1)
    real = torch.tensor([True, True, True, False]).expand(3, 4)
    strange = other.clone()
    strange[:, 3] = 1e6
    found = top_heavy_weights(preferred, strange, real)
    torch.testing.assert_close(found[:, :3], top_heavy_weights(preferred, other[:, :3], real[:, :3]))
    assert not found[:, 3].any()


def test_nothing_to_stay_below_weighs_nothing():
    found = top_heavy_weights(draw(2), draw(2, 3, seed=1), torch.zeros(2, 3, dtype=torch.bool))
    assert found.tolist() == [[0.0] * 3] * 2
    assert top_heavy_weights(draw(0), draw(0, 3), torch.zeros(0, 3, dtype=torch.bool)).shape == (0, 3)
