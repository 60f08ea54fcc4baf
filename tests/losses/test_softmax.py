import functools
import math

import pytest
import torch
from torch.nn import functional

from memcom_rank.losses import softmax_loss, tiled_softmax_loss

V = 9
HIDDEN = torch.tensor([[2, 0, 5], [8, 0, 0], [0, 0, 0], [3, 4, 6]])
OWNED = torch.tensor([[2, 5, 7, 0], [8, 1, 0, 0], [3, 0, 0, 0], [3, 4, 6, 2]])
WEIGHTS = torch.tensor([1.0, 2.0, 5.0, 0.25], dtype=torch.float64)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loss(scores, hidden=HIDDEN, owned=OWNED, weights=WEIGHTS):
    return softmax_loss(scores, hidden, owned, weights)


def test_equals_cross_entropy_over_a_users_candidates():
    """One call of torch's cross entropy for each hidden game, over that game and those the user has not."""
    scores, top, bottom = draw(4, V), 0.0, 0.0
    for b in range(4):
        rest = [game for game in range(2, V) if game not in OWNED[b].tolist()]
        for game in HIDDEN[b].tolist():
            if game:
                logits = scores[b, [game, *rest]][None]
                top += WEIGHTS[b] * functional.cross_entropy(logits, torch.tensor([0]))
                bottom += WEIGHTS[b]
    assert loss(scores).item() == pytest.approx((top / bottom).item(), rel=1e-12)


def test_closed_form_by_hand():
    scores = torch.tensor([[50.0, 60.0, math.log(2), 0.0, math.log(3), 7.0]])
    found = softmax_loss(scores, torch.tensor([[2]]), torch.tensor([[2, 5]]), torch.ones(1))
    assert found.item() == pytest.approx(math.log((2 + 1 + 3) / 2), rel=1e-6)  # padding, unknown and 5 stay out


def test_gradients_are_right():
    scores = draw(4, V, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(loss, (scores,))


def test_gradients_are_probabilities_minus_the_hidden_game():
    scores = draw(1, V).requires_grad_()
    loss(scores, HIDDEN[1:2], OWNED[1:2], WEIGHTS[1:2]).backward()
    wanted = torch.zeros(V, dtype=torch.float64)
    wanted[2:] = scores.detach()[0, 2:].softmax(0)
    wanted[8] -= 1
    torch.testing.assert_close(scores.grad[0], wanted)


def test_other_games_of_the_user_have_no_say():
    scores = draw(4, V)
    moved = scores.clone()
    moved[0, 7] += 100.0  # owned, not hidden
    moved[:, :2] += 100.0  # padding and unknown
    moved[2] += draw(V, seed=3)  # nothing hidden
    assert loss(moved).item() == pytest.approx(loss(scores).item(), rel=1e-12)
    moved[0, 3] += 1.0  # not owned
    assert loss(moved) > loss(scores) + 1e-3


def test_adding_a_constant_to_a_users_scores_changes_nothing():
    scores = draw(4, V)
    assert loss(scores + draw(4, 1, seed=1)).item() == pytest.approx(loss(scores).item(), rel=1e-12)


@pytest.mark.parametrize(
    ("hidden", "owned"),
    [
        ([[0, 0]], [[2, 3]]),  # nothing hidden
        ([[2, 0]], [[*range(2, V)]]),  # nothing else to choose
    ],
)
def test_nothing_to_learn_gives_zero_and_zero_gradients(hidden, owned):
    scores = draw(1, V).requires_grad_()
    found = softmax_loss(scores, torch.tensor(hidden), torch.tensor(owned), torch.ones(1))
    found.backward()
    assert found.item() == 0.0
    assert scores.grad.tolist() == [[0.0] * V]


def test_weight_zero_has_no_loss_and_no_gradient():
    scores, weights = draw(4, V).requires_grad_(), torch.tensor([1.0, 0.0, 1.0, 1.0])
    found = loss(scores, weights=weights)
    found.backward()
    assert not scores.grad[1].any()
    assert scores.grad[0].any()
    assert loss(scores, weights=torch.zeros(4)).item() == 0.0


def test_extreme_scores_stay_finite():
    scores = torch.full((4, V), -1e30)
    scores[:, 3] = 1e30
    scores.requires_grad_()
    found = loss(scores)
    found.backward()
    assert found.isfinite()
    assert scores.grad.isfinite().all()


def test_bf16_scores_are_summed_in_fp32_under_autocast():
    scores = draw(4, V).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(scores, weights=WEIGHTS.bfloat16())
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(scores.double()).item(), rel=1e-6)


def in_tiles(scores, size, hidden=HIDDEN, owned=OWNED, weights=WEIGHTS):
    tiles = {first: functools.partial(part.mul, 1) for first, part in parts(scores, size)}
    return tiled_softmax_loss(tiles, hidden, owned, weights)


def parts(scores, size):
    return [(n * size, part) for n, part in enumerate(scores.split(size, dim=1))]


SIZES = pytest.mark.parametrize("size", [1, 2, 4, V - 1, V])  # the last but one is alone in its tile, ..., one tile


@SIZES
def test_tiles_equal_the_whole(size):
    found = []
    for tiled in (False, True):
        scores = draw(4, V).requires_grad_()
        value = in_tiles(scores, size) if tiled else loss(scores)
        value.backward()
        found.append((value.detach(), scores.grad))
    torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-14)


@SIZES
def test_gradcheck_of_tiles(size):
    scores = draw(4, V, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda scores: in_tiles(scores, size), (scores,))


@SIZES
def test_tiles_equal_cross_entropy_where_nothing_else_is_owned(size):
    """The hidden game itself is owned, as always, so that all games compete: plain cross entropy."""
    scores, hidden = draw(5, V), torch.tensor([[2], [8], [5], [3], [3]])
    found = in_tiles(scores, size, hidden, hidden, torch.ones(5))
    wanted = functional.cross_entropy(scores[:, 2:], hidden[:, 0] - 2)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-12)


@SIZES
def test_tiles_with_nothing_to_learn_give_zero_and_zero_gradients(size):
    """The first user hides nothing, the second owns everything, the third both."""
    scores = draw(3, V).requires_grad_()
    everything = [*range(2, V)]
    owned = torch.tensor([[2, 3, *[0] * (V - 4)], everything, everything])
    value = in_tiles(scores, size, torch.tensor([[0], [4], [0]]), owned, torch.ones(3))
    value.backward()
    assert value.item() == 0.0
    assert not scores.grad.any()


def test_each_tile_is_made_again_and_none_is_kept():
    """What the graph keeps, besides the scores themselves, is as small as a row of sums."""
    scores, kept = draw(4, 1000).requires_grad_(), []
    tiles = dict(parts(scores, 100))
    made = []

    def make(first):
        made.append(first)
        return tiles[first] * 1.0

    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        value = tiled_softmax_loss({first: functools.partial(make, first) for first in tiles}, HIDDEN, OWNED, WEIGHTS)
    assert max(kept) <= 10 * 4  # tiles x users
    assert made == [*tiles]
    value.backward()
    assert sorted(made) == sorted([*tiles] * 2)


def test_extreme_scores_in_tiles_stay_finite():
    scores = torch.full((4, V), -1e30)
    scores[:, 3] = 1e30
    scores.requires_grad_()
    value = in_tiles(scores, 2, weights=WEIGHTS.float())
    value.backward()
    assert value.isfinite()
    assert scores.grad.isfinite().all()


def test_tiles_in_bf16_are_summed_in_fp32_under_autocast():
    scores = draw(4, V).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = in_tiles(scores, 2, weights=WEIGHTS.bfloat16())
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(scores.double()).item(), rel=1e-6)
