import math

import pytest
import torch
from scipy.stats import chisquare, kstest

from memcom_rank.data.sampling import forget, hide, hide_latest


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def histories(users=50, longest=12, num_ids=30, seed=0):
    draw = source(seed)
    owned = torch.zeros(users, longest, dtype=torch.int64)
    for user in range(users):
        length = int(torch.randint(0, longest + 1, (), generator=draw))
        owned[user, :length] = torch.randperm(num_ids - 2, generator=draw)[:length] + 2
    return owned


def test_every_game_is_either_kept_or_held():
    owned = histories()
    kept, held = hide(owned, (0.2, 0.9), source(1))
    assert torch.equal(kept + held, owned)
    assert not ((kept != 0) & (held != 0)).any()
    assert kept.any()
    assert held.any()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_extreme_shares_keep_nothing_or_all(share):
    kept, held = hide(histories(), (share, share), source(1))
    assert torch.equal(kept if share else held, histories())
    assert not (held if share else kept).any()


def test_shares_differ_by_user_and_are_uniform():
    kept, _ = hide(torch.full((4000, 400), 2), (0.3, 0.8), source(1))
    share = (kept != 0).double().mean(1)
    assert kstest(share.numpy(), "uniform", args=(0.3, 0.5)).pvalue > 0.01


def test_a_position_is_no_more_likely_held_than_another():
    _, held = hide(torch.full((5000, 10), 2), (0.0, 1.0), source(2))
    assert chisquare((held != 0).sum(0).numpy()).pvalue > 0.01


def test_hiding_the_latest_equals_a_loop_over_users():
    owned, draw = histories(), source(1)
    kept, held = hide_latest(owned, (0.2, 0.9), source(1))
    shares = (0.2 + (0.9 - 0.2) * torch.rand(len(owned), 1, generator=draw))[:, 0].tolist()
    for games, seen, hidden, share in zip(owned.tolist(), kept.tolist(), held.tolist(), shares, strict=True):
        real = [game for game in games if game]
        cut = min(math.ceil(share * len(real)), max(len(real) - 1, 0))
        assert [game for game in seen if game] == real[:cut]
        assert [game for game in hidden if game] == real[cut:]
    assert torch.equal(kept + held, owned)


def test_of_the_latest_every_user_has_one_hidden_and_every_moment_is_as_likely():
    kept, held = hide_latest(torch.full((8000, 5), 2), (0.0, 1.0), source(2))
    assert (held[:, -1] != 0).all()
    seen = (kept != 0).sum(1)
    assert chisquare(torch.bincount(seen, minlength=5)[1:].numpy(), [1600, 1600, 1600, 3200]).pvalue > 0.01


def test_forget_touches_real_games_only_and_its_share_of_them():
    owned = histories(users=2000)
    lost = forget(owned, 0.1, source(1))
    changed = lost != owned
    assert torch.equal(lost[changed], torch.ones_like(lost[changed]))
    assert not changed[owned == 0].any()
    games = int((owned != 0).sum())
    assert abs(int(changed.sum()) - 0.1 * games) < 4 * (games * 0.1 * 0.9) ** 0.5


def test_forget_of_nothing_changes_nothing():
    assert torch.equal(forget(histories(), 0.0, source()), histories())


@pytest.mark.parametrize(
    "draw",
    [
        lambda generator: torch.cat(hide(histories(), (0.2, 0.9), generator)),
        lambda generator: torch.cat(hide_latest(histories(), (0.2, 0.9), generator)),
        lambda generator: forget(histories(), 0.5, generator),
    ],
)
def test_choices_follow_from_the_generator_alone(draw):
    first = draw(source(5))
    torch.rand(1)  # the global generator plays no part
    assert torch.equal(first, draw(source(5)))
    assert not torch.equal(first, draw(source(6)))
