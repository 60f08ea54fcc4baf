"""Training games in which who has what says all about a game."""

import random

import torch
from torch import Tensor


def grouped_games(*, groups: int, games: int = 20, users: int = 80) -> tuple[Tensor, Tensor]:
    """Return user rows and ids: users of group g own most of games 2 + g, 2 + g + groups, ..., of `games` in all."""
    draw = random.Random(3)
    pairs = [
        (user, 2 + game) for user in range(users) for game in range(user % groups, games, groups) if draw.random() < 0.8
    ]
    users_N, ids_N = (torch.tensor(column) for column in zip(*pairs, strict=True))
    return users_N, ids_N
