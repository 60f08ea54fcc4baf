"""Data room (floor 2): the games that a training step's hidden games are compared with, its candidates.

Takes the hidden games and the histories of a step -> gives distinct games for all its users, for whom each of them is
a negative, and how probable it was among the candidates. Two sources go together or alone: games drawn by a power of
their popularity (as in word2vec, Mikolov et al. 2013), and the hidden games of the step itself. Both together are Yang
et al. 2020, "Mixed Negative Sampling for Learning Two-tower Neural Networks in Recommendations".
"""

import torch
from torch import Generator, Tensor

from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID


class Negatives:
    """Draws the candidates of a step.

    Args:
        popularity_G: int64, training users of each game, by id from 2.
        count: draws per step; 0 for none.
        power: 0 draws distinct games, all as likely: at most the whole catalogue, and then exactly it. Above 0, games
            are drawn in proportion to popularity**power, and one drawn again counts once.
        in_batch: whether the hidden games of the step are candidates for its other users.
    """

    def __init__(self, popularity_G: Tensor, *, count: int, power: float, in_batch: bool) -> None:
        self.num_games, self.in_batch = len(popularity_G), in_batch
        self.share_G = popularity_G.double() / popularity_G.sum()
        if power:
            weights_G = popularity_G.double() ** power
            self.count, self.draws, self.chance_G = count, count, weights_G / weights_G.sum()
            up_to_G = self.chance_G.cumsum(0)
            self.up_to_G: Tensor | None = up_to_G / up_to_G[-1:]  # ends at 1, which no draw reaches
        else:  # one draw of a set of games
            self.count, self.draws, self.up_to_G = min(count, self.num_games), 1, None
            self.chance_G = torch.full_like(self.share_G, self.count / max(self.num_games, 1))

    def draw(self, held_BL: Tensor, owned_BL: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw a step's candidates.

        Args:
            held_BL: int64, hidden games of each user, padded with 0.
            owned_BL: int64, all training games of each user, padded with 0.
            generator: source of randomness.

        Returns:
            negatives_K: int64, distinct game ids.
            real_BK: bool, False where the user has the game in training: never a negative for it.
            log_q_K: float32, log probability that the game is among the candidates of such a step. Hidden games are
                taken for as many draws by popularity.
        """
        games_K = self._drawn(generator)
        hidden_H = held_BL[held_BL != PADDING_ID] - FIRST_GAME_ID if self.in_batch else held_BL.new_empty(0)
        if self.in_batch:
            games_K = torch.unique(torch.cat([games_K, hidden_H]))
        log_missed_K = _log_missed(self.draws, self.chance_G[games_K])
        log_missed_K += _log_missed(len(hidden_H), self.share_G[games_K])
        log_q_K = (-log_missed_K.expm1()).log().float()
        return games_K + FIRST_GAME_ID, self._not_owned(games_K, owned_BL), log_q_K

    def _drawn(self, generator: Generator) -> Tensor:
        if self.up_to_G is None:
            return distinct(self.count, self.num_games, generator)
        point_K = torch.rand(self.count, generator=generator, dtype=torch.float64)
        drawn_K: Tensor = torch.unique(torch.searchsorted(self.up_to_G, point_K, right=True))
        return drawn_K

    def _not_owned(self, games_K: Tensor, owned_BL: Tensor) -> Tensor:
        column_V = torch.zeros(FIRST_GAME_ID + self.num_games, dtype=torch.int64)  # 0: no candidate
        column_V[games_K + FIRST_GAME_ID] = torch.arange(1, len(games_K) + 1)
        owned_BC = torch.zeros(len(owned_BL), len(games_K) + 1, dtype=torch.bool)
        owned_BC.scatter_(1, column_V[owned_BL], True)
        return ~owned_BC[:, 1:]


def distinct(count: int, end: int, generator: Generator) -> Tensor:
    """Return `count` <= `end` distinct numbers below `end`, int64; every set of so many is as likely.

    Draws again what was drawn twice: at 1,024 of 500,000 a tenth of the time of a random permutation.
    """
    if 2 * count > end:
        return torch.randperm(end, generator=generator)[:count]
    drawn = torch.empty(0, dtype=torch.int64)
    while len(drawn) < count:
        drawn = torch.unique(torch.cat([drawn, torch.randint(end, (2 * count,), generator=generator)]))
    return drawn[torch.randperm(len(drawn), generator=generator)[:count]]


def _log_missed(draws: int, chance_K: Tensor) -> Tensor:
    """Return the log probability that none of `draws` is the game; 0 for no draws, even of the only game."""
    missed_K: Tensor = torch.special.xlog1py(draws, -chance_K)
    return missed_K
