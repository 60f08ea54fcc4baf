"""Source synthetic: a made-up world of games and users whose best possible ranking is known exactly.

A user is of one hidden type k = (taste, activity). Given the type, games are owned independently:
    lambda_ki = activity_k * choice_ki      choice_k. = popularity x affinity of the taste to the game, summing to 1
    P(own i | k) = q_ki = 1 - exp(-lambda_ki)      odds_ki = q / (1 - q) = exp(lambda_ki) - 1
This is drawn by Poisson thinning: N ~ Poisson(activity_k) draws from choice_k., duplicates dropped. It is exact and
costs the number of draws plus tastes x games, never users x games. See `synthetic_bayes` for the best ranking.
"""

import dataclasses
import functools

import numpy as np
import polars as pl

from data_prep.sources.synthetic_titles import GENRES, titles

_SEED_STREAM = 3  # this source's own random streams under the build's seed: 3 the world, 4 what its users do

NUM_TASTES = 24
ACTIVITY = np.array([2.5, 6.0, 14.0, 35.0, 90.0, 220.0])  # expected draws of a user
ACTIVITY_SHARE = np.array([0.38, 0.27, 0.18, 0.11, 0.05, 0.01])
POPULARITY_EXPONENT = 1.4  # of the Zipf-like popularity over ranks
POPULARITY_FLAT_RANKS = 10.0  # added to the rank: the very first games are nearly equally popular
TASTE_CONCENTRATION = 0.15  # Dirichlet parameter over genres: small means few favourite genres
BACKGROUND_AFFINITY = 0.03  # to genres a taste does not care for
GAME_AFFINITY_SIGMA = 0.3  # log-normal spread of a taste's liking within a genre
NEVER_PLAYED_SHARE = 0.45
MEDIAN_HOURS = 5.0  # at average affinity
HOURS_AFFINITY_POWER = 0.5
HOURS_SIGMA = 1.6  # log-normal spread of hours


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """The truth behind the log. Types are (taste, activity): `taste_share` x `activity_share`.

    Attributes:
        choice: (tastes, games) probability that one draw of a taste takes the game; rows sum to 1.
        affinity: (tastes, games) liking, averaging 1 over a taste's draws.
        taste_share: (tastes,) share of users.
        activity: (levels,) expected draws.
        activity_share: (levels,) share of users.
        titles: title of each game.
    """

    choice: np.ndarray
    affinity: np.ndarray
    taste_share: np.ndarray
    activity: np.ndarray
    activity_share: np.ndarray
    titles: list[str]

    @property
    def num_types(self) -> int:
        """Number of types k."""
        return len(self.taste_share) * len(self.activity)

    def odds(self, games: np.ndarray) -> np.ndarray:
        """Return odds_ki of `games`, (types, games); types in order (taste, activity)."""
        rate = self.choice[:, None, games] * self.activity[None, :, None]
        odds: np.ndarray = np.expm1(rate).reshape(self.num_types, len(games))
        return odds

    @functools.cached_property
    def total_odds(self) -> np.ndarray:
        """Return the sum of odds_ki over all games, (types,), a slice of games at a time."""
        games = np.arange(self.choice.shape[1])
        slices = np.array_split(games, 1 + len(games) // 4096)
        total: np.ndarray = np.sum([self.odds(part).sum(axis=1) for part in slices], axis=0)
        return total


def make_world(games: int, seed: int) -> World:
    """Draw a world of `games` games."""
    rng = np.random.default_rng([seed, _SEED_STREAM])
    popularity = (rng.permutation(games) + POPULARITY_FLAT_RANKS) ** -POPULARITY_EXPONENT
    main, second = rng.integers(0, len(GENRES), (2, games))
    genre_liking = BACKGROUND_AFFINITY + rng.dirichlet(np.full(len(GENRES), TASTE_CONCENTRATION), NUM_TASTES)
    affinity = 0.7 * genre_liking[:, main] + 0.3 * genre_liking[:, second]
    affinity *= np.exp(GAME_AFFINITY_SIGMA * rng.standard_normal((NUM_TASTES, games)))
    choice = popularity * affinity
    choice /= choice.sum(axis=1, keepdims=True)
    affinity /= (choice * affinity).sum(axis=1, keepdims=True)
    return World(
        choice=choice,
        affinity=affinity,
        taste_share=rng.dirichlet(np.full(NUM_TASTES, 5.0)),
        activity=ACTIVITY,
        activity_share=ACTIVITY_SHARE,
        titles=titles(main, rng),
    )


def play(world: World, users: int, seed: int) -> pl.DataFrame:
    """Let `users` users own and play games of the world.

    Returns:
        user and game (int64, the game's position in the world), title, engagement_hours (null: never played);
        one row per owned game. Users who own nothing do not appear.
    """
    rng = np.random.default_rng([seed, _SEED_STREAM + 1])
    num_games = world.choice.shape[1]
    taste = np.sort(rng.choice(len(world.taste_share), users, p=world.taste_share))
    level = rng.choice(len(world.activity), users, p=world.activity_share)
    draws = rng.poisson(world.activity[level])
    owner = np.repeat(rng.permutation(users), draws)  # user numbers say nothing about the taste
    game = np.empty(len(owner), np.int64)
    ends = np.cumsum(draws)[np.searchsorted(taste, np.arange(len(world.taste_share)), side="right") - 1]
    start = 0
    for choice, end in zip(world.choice, ends, strict=True):  # one inverse-transform pass per taste
        reach = np.cumsum(choice)
        game[start:end] = np.searchsorted(reach, rng.random(end - start) * reach[-1], side="right")
        start = end
    drawn_taste = np.repeat(taste, draws)
    _, first = np.unique(owner * num_games + game, return_index=True)
    owner, game, drawn_taste = owner[first], game[first], drawn_taste[first]

    hours = MEDIAN_HOURS * world.affinity[drawn_taste, game] ** HOURS_AFFINITY_POWER
    hours *= np.exp(HOURS_SIGMA * rng.standard_normal(len(game)))
    hours = np.maximum(np.round(hours, 1), 0.1)
    played = rng.random(len(game)) >= NEVER_PLAYED_SHARE
    return pl.DataFrame(
        {
            "user": owner,
            "game": game,
            "title": pl.Series(world.titles, dtype=pl.String)[game],
            "engagement_hours": pl.Series(hours).set(~pl.Series(played), None),
        }
    )
