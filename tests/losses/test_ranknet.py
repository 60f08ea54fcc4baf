import math

import pytest
import torch
from torch.nn import functional

from memcom_rank.losses import ranknet_loss


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_closed_form_by_hand():
    preferred, other = torch.tensor([1.0, 0.0, 3.0]), torch.tensor([0.0, 2.0, 3.0])
    weights = torch.tensor([1.0, 2.0, 0.5])
    terms = [1.0 * math.log(1 + math.exp(-1)), 2.0 * math.log(1 + math.exp(2)), 0.5 * math.log(2)]
    assert ranknet_loss(preferred, other, weights).item() == pytest.approx(sum(terms) / 3.5, rel=1e-6)


def test_equals_binary_cross_entropy_of_the_difference():
    preferred, other, weights = draw(40), draw(40, seed=1), draw(40, seed=2).abs()
    wanted = functional.binary_cross_entropy(
        torch.sigmoid(preferred - other), torch.ones(40).double(), weights, reduction="sum"
    )
    assert ranknet_loss(preferred, other, weights).item() == pytest.approx((wanted / weights.sum()).item(), rel=1e-12)


@pytest.mark.parametrize("weights_shape", [(3, 4), (3, 4, 5)])
def test_many_others_equal_a_loop_over_pairs(weights_shape):
    preferred_BP, other_BPK = draw(3, 4), draw(3, 4, 5, seed=1)
    weights = draw(*weights_shape, seed=2).abs()
    top = bottom = 0.0
    for b in range(3):
        for p in range(4):
            for k in range(5):
                weight = weights[b, p].item() if weights.dim() == 2 else weights[b, p, k].item()
                top += weight * math.log1p(math.exp(other_BPK[b, p, k].item() - preferred_BP[b, p].item()))
                bottom += weight
    assert ranknet_loss(preferred_BP, other_BPK, weights).item() == pytest.approx(top / bottom, rel=1e-12)


def test_gradients_are_right():
    preferred, other = draw(2, 3).requires_grad_(), draw(2, 3, 4, seed=1).requires_grad_()
    weights = draw(2, 3, seed=2).abs()
    assert torch.autograd.gradcheck(lambda a, b: ranknet_loss(a, b, weights), (preferred, other))


def test_pair_and_swapped_pair_differ_by_the_score_difference():
    # log(1 + e^-d) - log(1 + e^d) = -d
    preferred, other, one = draw(1), draw(1, seed=1), torch.ones(1)
    swapped = ranknet_loss(other, preferred, one)
    assert (ranknet_loss(preferred, other, one) - swapped).item() == pytest.approx(
        (other - preferred).item(), rel=1e-12
    )


def test_adding_a_constant_to_all_scores_changes_nothing():
    preferred, other, weights = draw(9), draw(9, seed=1), torch.ones(9)
    moved = ranknet_loss(preferred + 5, other + 5, weights)
    assert moved.item() == pytest.approx(ranknet_loss(preferred, other, weights).item(), rel=1e-12)


def test_padding_of_weight_zero_has_no_loss_and_no_gradient():
    preferred, other = draw(4).requires_grad_(), draw(4, seed=1)
    weights = torch.tensor([1.0, 2.0, 0.0, 0.0])
    loss = ranknet_loss(preferred, other, weights)
    loss.backward()
    assert loss.item() == pytest.approx(ranknet_loss(preferred[:2], other[:2], weights[:2]).item())
    assert preferred.grad[2:].tolist() == [0.0, 0.0]
    assert (preferred.grad[:2] < 0).all()


def test_only_padding_gives_zero_and_zero_gradients():
    preferred = draw(2, 3).requires_grad_()
    loss = ranknet_loss(preferred, draw(2, 3, 4, seed=1), torch.zeros(2, 3))
    loss.backward()
    assert loss.item() == 0.0
    assert not preferred.grad.any()


def test_extreme_scores_stay_finite():
    preferred = torch.tensor([1e30, -1e30, 3e4], requires_grad=True)
    loss = ranknet_loss(preferred, torch.tensor([-1e30, 1e30, 3e4]), torch.ones(3))
    loss.backward()
    assert loss.isfinite()
    assert preferred.grad.isfinite().all()


def test_bf16_scores_are_subtracted_in_fp32_under_autocast():
    preferred, other = draw(500).bfloat16(), draw(500, seed=1).bfloat16()
    weights = torch.rand(500, generator=torch.Generator().manual_seed(2)).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = ranknet_loss(preferred, other, weights)
    assert loss.dtype == torch.float32
    exact = ranknet_loss(preferred.double(), other.double(), weights.double())
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)
