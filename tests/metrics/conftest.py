# ruff: noqa: N815 (fields carry shape suffixes)
"""Small evaluations with everything in them: ties, seen games, padding, unknown targets, users without targets."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

NUM_IDS = 14


class World(NamedTuple):
    scores_BV: Tensor
    targets_BT: Tensor
    grades_BT: Tensor
    seen_BL: Tensor

    def candidates(self, user: int) -> list[int]:
        """Ids the user's ranking is made of."""
        return [i for i in range(2, NUM_IDS) if i not in self.seen_BL[user].tolist()]


def make_world(seed: int, *, ties: bool, unknown: bool, users: int = 6) -> World:
    draw = torch.Generator().manual_seed(seed)
    scores_BV = torch.randn(users, NUM_IDS, generator=draw)
    if ties:
        scores_BV = scores_BV.round()
    targets_BT = torch.zeros(users, 4, dtype=torch.int64)
    seen_BL = torch.zeros(users, 5, dtype=torch.int64)
    for user in range(users):
        games = torch.randperm(NUM_IDS - 2, generator=draw) + 2
        present, seen = int(torch.randint(5, (), generator=draw)), int(torch.randint(6, (), generator=draw))
        targets_BT[user, :present], seen_BL[user, :seen] = games[:present], games[4 : 4 + seen]
        if unknown and present:
            targets_BT[user, present - 1] = 1
            seen_BL[user, -1] = 1
    grades_BT = torch.randint(1, 5, targets_BT.shape, generator=draw) * (targets_BT != 0)
    return World(scores_BV, targets_BT, grades_BT, seen_BL)


@pytest.fixture(params=range(8))
def tied_world(request: pytest.FixtureRequest) -> World:
    """Many equal scores."""
    return make_world(request.param, ties=True, unknown=False)


@pytest.fixture(params=range(4))
def plain_world(request: pytest.FixtureRequest) -> World:
    """No equal scores."""
    return make_world(100 + request.param, ties=False, unknown=False)


@pytest.fixture(params=range(4))
def unknown_world(request: pytest.FixtureRequest) -> World:
    """Equal scores, and an unknown game among every user's targets and seen games."""
    return make_world(200 + request.param, ties=True, unknown=True)


@pytest.fixture(
    params=[(ties, unknown, seed) for ties in (False, True) for unknown in (False, True) for seed in (0, 1)]
)
def any_world(request: pytest.FixtureRequest) -> World:
    """Each kind of world."""
    ties, unknown, seed = request.param
    return make_world(300 + seed, ties=ties, unknown=unknown)
