import pytest
import torch
from scipy.stats import chisquare, kstest

from memcom_rank.data.sampling import forget, hide


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
        lambda generator: forget(histories(), 0.5, generator),
    ],
)
def test_choices_follow_from_the_generator_alone(draw):
    first = draw(source(5))
    torch.rand(1)  # the global generator plays no part
    assert torch.equal(first, draw(source(5)))
    assert not torch.equal(first, draw(source(6)))
