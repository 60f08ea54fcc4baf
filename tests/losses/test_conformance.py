"""What every loss over a step's candidates keeps, whatever its formula."""

import inspect

import pytest
import torch

from memcom_rank import losses
from tests.losses.samples import draw, one_each, sample

LOSSES = [getattr(losses, name) for name in losses.__all__ if name not in ("softmax_loss", "tiled_softmax_loss")]
SMOOTH = [losses.bpr_loss, losses.sampled_softmax_loss, losses.bce_loss, losses.gbce_loss]  # no detached weights
every_loss = pytest.mark.parametrize("loss", LOSSES)


@every_loss
def test_a_config_can_put_one_in_the_place_of_another(loss):
    positional = [p.name for p in inspect.signature(loss).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    assert positional == ["preferred_N", "user_N", "other_BK", "real_BK", "log_q_BK", "weights_N"]


@pytest.mark.parametrize("loss", SMOOTH)
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_gradients_are_those_of_the_value(loss, scale):
    preferred_N, user_N, other_BK, *rest = sample(scale=scale)
    assert torch.autograd.gradcheck(
        lambda a, b: loss(a, user_N, b, *rest), (preferred_N.requires_grad_(), other_BK.requires_grad_())
    )


@every_loss
def test_the_hidden_game_is_pulled_up_and_its_candidates_down(loss):
    preferred_N, user_N, other_BK, real_BK, *rest = sample()
    loss(preferred_N.requires_grad_(), user_N, other_BK.requires_grad_(), real_BK, *rest).backward()
    assert (preferred_N.grad[1:] < 0).all()
    assert (other_BK.grad[real_BK] > 0).all()


@every_loss
def test_candidates_that_do_not_count_change_nothing(loss):
    preferred_N, user_N, other_BK, real_BK, log_q_K, weights_N = sample()
    strange_BK = other_BK.where(real_BK, 1e6).requires_grad_()
    found = loss(preferred_N, user_N, strange_BK, real_BK, log_q_K, weights_N)
    found.backward()
    assert found.item() == pytest.approx(loss(*sample()).item(), rel=1e-12)
    assert not strange_BK.grad[~real_BK].any()
    kept = real_BK[1]
    first = torch.tensor([0])
    row = (preferred_N[1:2], first, other_BK[1:2], real_BK[1:2], log_q_K, weights_N[1:2])
    short = (preferred_N[1:2], first, other_BK[1:2, kept], real_BK[1:2, kept], log_q_K[kept], weights_N[1:2])
    assert not kept.all()
    assert loss(*short).item() == pytest.approx(loss(*row).item(), rel=1e-12)


@every_loss
def test_the_order_of_candidates_means_nothing(loss):
    preferred_N, user_N, other_BK, real_BK, log_q_K, weights_N = sample()
    back = (preferred_N, user_N, other_BK.flip(1), real_BK.flip(1), log_q_K.flip(0), weights_N)
    assert loss(*back).item() == pytest.approx(loss(*sample()).item(), rel=1e-12)


@every_loss
def test_hidden_games_and_users_may_come_in_any_order_and_users_may_hide_nothing(loss):
    preferred_N, user_N, other_BK, real_BK, log_q_K, weights_N = sample()
    order_N, order_B = torch.tensor([4, 0, 5, 2, 1, 3]), torch.tensor([2, 3, 1, 0, 1])  # one user twice: hides nothing
    place_of_user = torch.tensor([3, 2, 0, 1])
    mixed = (preferred_N[order_N], place_of_user[user_N[order_N]], other_BK[order_B], real_BK[order_B])
    assert loss(*mixed, log_q_K, weights_N[order_N]).item() == pytest.approx(loss(*sample()).item(), rel=1e-12)


@every_loss
@pytest.mark.filterwarnings("ignore:Anomaly Detection")  # says that it is on
@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0), (3, 4)])
def test_nothing_to_compare_gives_zero_and_zero_gradients(loss, shape):
    preferred_N, other_BK = draw(shape[0]).requires_grad_(), draw(*shape, seed=1).requires_grad_()
    nothing_BK, user_N = torch.zeros(shape, dtype=torch.bool), torch.arange(shape[0])
    with torch.autograd.detect_anomaly(check_nan=True):  # no NaN on the way either
        found = loss(preferred_N, user_N, other_BK, nothing_BK, torch.zeros(shape[1]), torch.ones(shape[0]))
        found.backward()
    assert found.item() == 0.0
    assert preferred_N.grad.tolist() == [0.0] * shape[0]
    assert not other_BK.grad.any()


@every_loss
def test_a_hidden_game_without_candidates_has_loss_zero_and_its_weight(loss):
    preferred_N, user_N, *of_users, weights_N = sample()
    found = loss(preferred_N.requires_grad_(), user_N, *of_users, weights_N)
    found.backward()
    assert preferred_N.grad[0] == 0
    rest = loss(preferred_N[1:], user_N[1:], *of_users, weights_N[1:])
    share = (weights_N[1:].sum() / weights_N.sum()).item()
    assert found.item() == pytest.approx(share * rest.item(), rel=1e-12)


@every_loss
def test_weight_zero_has_no_loss_and_no_gradient(loss):
    preferred_N, user_N, *of_users, weights_N = sample()
    weights_N[2] = 0.0
    found = loss(preferred_N.requires_grad_(), user_N, *of_users, weights_N)
    found.backward()
    assert preferred_N.grad[2] == 0
    others = [0, 1, 3, 4, 5]
    rest = loss(preferred_N[others], user_N[others], *of_users, weights_N[others])
    assert found.item() == pytest.approx(rest.item(), rel=1e-12)
    assert loss(preferred_N, user_N, *of_users, torch.zeros(6)).item() == 0.0


@every_loss
def test_log_q_may_be_one_row_or_a_row_each(loss):
    *scores, log_q_K, weights_N = sample()
    rows = loss(*scores, log_q_K.expand(4, 5).clone(), weights_N)
    assert rows.item() == loss(*sample()).item()


@every_loss
def test_extreme_scores_and_probabilities_stay_finite(loss):
    preferred_N = torch.tensor([1e30, -1e30, 3e4, 0.0], requires_grad=True)
    other_NK = torch.tensor([[-1e30, 1e30], [1e30, 1e30], [3e4, 0.0], [-1e30, -1e30]], requires_grad=True)
    found = loss(*one_each(preferred_N, other_NK, log_q_K=torch.tensor([-200.0, 0.0])))
    found.backward()
    assert found.isfinite()
    assert preferred_N.grad.isfinite().all()
    assert other_NK.grad.isfinite().all()


@every_loss
def test_bf16_scores_are_compared_in_fp32_under_autocast(loss):
    preferred_N, user_N, other_BK, real_BK, log_q_K, weights_N = sample(200, 4)
    preferred_N, other_BK, weights_N = preferred_N.bfloat16(), other_BK.bfloat16(), weights_N.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(preferred_N, user_N, other_BK, real_BK, log_q_K.float(), weights_N)
    wanted = loss(preferred_N.double(), user_N, other_BK.double(), real_BK, log_q_K, weights_N.double())
    assert found.dtype == torch.float32
    assert wanted.dtype == torch.float64
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
