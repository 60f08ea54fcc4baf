"""Data room (floor 2): random choices of a training step, vectorised. Each takes its own torch.Generator.

The generator is seeded from (seed, epoch, batch, rank) by the caller, so any step can be drawn again.
"""

import torch
from torch import Generator, Tensor

from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID, UNKNOWN_ID
from memcom_rank.data.ragged import Ragged


class NegativeSampler:
    """Draws games that a user has not in training, uniformly and exactly, without rejection.

    A user's n games, sorted, leave `num_games - n` others. The r-th of these is r plus the number of own games
    before it, which one search in the sorted array of (game - its place) gives for all users at once.

    Args:
        histories: training game ids by user row.
        num_ids: ids including padding and unknown.
    """

    def __init__(self, histories: Ragged, num_ids: int) -> None:
        lengths, self.num_games = histories.lengths, num_ids - FIRST_GAME_ID
        row = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        known = histories.values >= FIRST_GAME_ID
        row, game = row[known], histories.values[known] - FIRST_GAME_ID
        key = (row * self.num_games + game).sort().values
        row, game = key // self.num_games, key % self.num_games
        self.owned = torch.bincount(row, minlength=len(lengths))
        self.starts = self.owned.cumsum(0) - self.owned
        place = torch.arange(len(row)) - self.starts[row]
        self.keys = row * self.num_games + (game - place)

    def draw(self, rows_B: Tensor, count: int, generator: Generator) -> Tensor:
        """Return int64 [B, count] game ids, none in the user's training history; 0 where the user owns all games."""
        left_B1 = (self.num_games - self.owned[rows_B])[:, None]
        uniform_BK = torch.rand(len(rows_B), count, generator=generator, dtype=torch.float64)
        nth_BK = (uniform_BK * left_B1).long()
        rank_BK = torch.searchsorted(self.keys, rows_B[:, None] * self.num_games + nth_BK, right=True)
        games_BK = nth_BK + rank_BK - self.starts[rows_B][:, None] + FIRST_GAME_ID
        return games_BK.where(left_B1 > 0, PADDING_ID)


def halve(history_BL: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Split each history at random into a kept half (to be seen) and a held half (to be ranked first).

    A history of n games keeps n // 2 games, or n // 2 + 1 with probability one half where n is odd; n = 1 is held,
    so that the ranker also learns what to say of an empty history.

    Args:
        history_BL: int64 game ids padded with 0, all padding at the end.
        generator: source of randomness.

    Returns:
        kept_BL and held_BL: int64, each padded with 0 at the end.
    """
    real_BL = history_BL != PADDING_ID
    length_B = real_BL.sum(1)
    order_BL = torch.rand(history_BL.shape, generator=generator).masked_fill(~real_BL, 2.0).argsort(1)
    shuffled_BL = history_BL.gather(1, order_BL)
    odd_B = (torch.rand(length_B.shape, generator=generator) < 0.5) & (length_B > 1)
    kept_B = (length_B + odd_B.long()) // 2
    place_L = torch.arange(history_BL.shape[1])
    kept_BL = shuffled_BL.where(place_L < kept_B[:, None], PADDING_ID)
    shift_BL = (place_L + kept_B[:, None]).clamp(max=history_BL.shape[1] - 1)
    held_BL = shuffled_BL.gather(1, shift_BL).where(place_L < (length_B - kept_B)[:, None], PADDING_ID)
    return kept_BL[:, : max(int(kept_B.max()), 1)], held_BL[:, : max(int((length_B - kept_B).max()), 1)]


def forget(history_BL: Tensor, share: float, generator: Generator) -> Tensor:
    """Replace a random `share` of the games by the unknown id 1, so that its vector is trained."""
    lost_BL = torch.rand(history_BL.shape, generator=generator) < share
    return history_BL.masked_fill(lost_BL & (history_BL != PADDING_ID), UNKNOWN_ID)
