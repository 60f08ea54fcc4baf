"""The best possible ranking of the synthetic world: exact Bayes, given the set of games in a user's history.

Under the hold-out split a user with n owned games gives one validation and one test game, uniformly at random. With
C_k = prod_i (1 - q_ki) = exp(-activity_k), odds_ki = exp(lambda_ki) - 1, and the history S of a user:
    test (S = train + validation games):  P(test = j | S) ~ sum_k pi_k C_k prod_S odds_ki odds_kj
    validation (S = train games):         P(val  = j | S) ~ sum_k pi_k C_k prod_S odds_ki odds_kj (O_kS - odds_kj)
where O_kS sums the odds over all games outside S: the test game may be any of them. |S| gives n away, so
"n >= min_games" and the 1/n of the draw are constants. No ranker that sees only the set of games has a higher expected
nDCG; one that also sees grades may have, as hours say a little more about the taste.
"""

import numpy as np
import polars as pl

from data_prep.sources.synthetic import World
from memcom_rank.contract.schemas import UNKNOWN_ID

MAX_USERS = 10_000  # evaluated users, a seeded sample; fewer where the catalogue is huge:
MAX_WORK = 2e10  # multiply-adds of one split: users x types x games
_SEED_STREAM = 5  # this step's own random stream under the build's seed
_USERS_AT_ONCE, _GAMES_AT_ONCE = 512, 4096  # bounds every array, whatever the world's size


def bayes_references(world: World, log: pl.DataFrame, seed: int) -> tuple[dict[str, float], int]:
    """Return the manifest's references, and the number of users they are the mean of.

    A held-out game that is unknown in training cannot be ranked and counts 0.

    Args:
        world: the truth.
        log: indexed rows under the hold-out split, sorted by (user, game); `game` is the position in the world.
        seed: the build's seed.
    """
    num_games = world.choice.shape[1]
    users = log.filter(pl.col("split") == "test")["row"].to_numpy()
    affordable = max(100, int(MAX_WORK / (world.num_types * num_games)))
    rng = np.random.default_rng([seed, _SEED_STREAM])
    sample = np.sort(rng.choice(users, min(MAX_USERS, affordable, len(users)), replace=False))
    known = np.zeros(num_games, bool)
    known[log.filter(pl.col("id") != UNKNOWN_ID)["game"].to_numpy()] = True
    rows = log.filter(pl.col("row").is_in(pl.Series(sample).implode()))

    references = {}
    for split, key, missing in (("test", "synthetic.bayes", 1), ("validation", "synthetic.bayes.validation", 2)):
        held_out = rows.filter(pl.col("split") == split)["game"].to_numpy()
        history = rows.filter(pl.col("split").is_in(["train", "validation"] if split == "test" else ["train"]))
        starts = np.flatnonzero(np.diff(history["row"].to_numpy(), prepend=-1))
        histories = np.split(history["game"].to_numpy(), starts[1:])
        ranks = held_out_ranks(world, histories, held_out, known, missing=missing)
        gains = np.where(known[held_out], 1 / np.log2(1 + ranks), 0.0)  # one game to find: the ideal DCG is 1
        references[f"{key}.ndcg@10"] = round(float(np.where(ranks <= 10, gains, 0.0).mean()), 6)
        if split == "test":
            references[f"{key}.ndcg"] = round(float(gains.mean()), 6)
    return references, len(sample)


def held_out_ranks(
    world: World, histories: list[np.ndarray], held_out: np.ndarray, known: np.ndarray, *, missing: int
) -> np.ndarray:
    """Rank each held-out game among the known games outside its user's history; 1 is best.

    Args:
        world: the truth.
        histories: the games of each user's history, at least one.
        held_out: (users,) the game to find.
        known: (games,) whether a game is in the training vocabulary.
        missing: owned games outside the history: 1 at test, 2 at validation.

    Returns:
        (users,) ranks.
    """
    ranks = np.ones(len(histories), np.int64)
    for start in range(0, len(histories), _USERS_AT_ONCE):
        part = slice(start, start + _USERS_AT_ONCE)
        ranks[part] += _number_better(world, histories[part], held_out[part], known, missing)
    return ranks


def type_weights(world: World, histories: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return pi_k C_k prod_S odds_ki, scaled to sum to 1 over k, and sum_S odds_ki; both (users, types)."""
    starts = np.cumsum([0] + [len(games) for games in histories[:-1]])
    odds = world.odds(np.concatenate(histories))  # (types, rows of all histories)
    # log C_k = -sum_i lambda_ki = -activity_k, because a taste's choice sums to 1
    prior = np.add.outer(np.log(world.taste_share), np.log(world.activity_share) - world.activity).ravel()
    log_weights = prior + np.add.reduceat(np.log(odds), starts, axis=1).T
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True), np.add.reduceat(odds, starts, axis=1).T


def scores(weights: np.ndarray, outside: np.ndarray, odds: np.ndarray, missing: int) -> np.ndarray:
    """Return the predictive probability of each game, up to a factor per user: (users, games).

    Args:
        weights: (users, types) from `type_weights`.
        outside: (users, types) O_kS; used where two games are missing.
        odds: (types, games).
        missing: 1 or 2.
    """
    result: np.ndarray = weights @ odds if missing == 1 else (weights * outside) @ odds - weights @ odds**2
    return result


def _number_better(
    world: World, histories: list[np.ndarray], held_out: np.ndarray, known: np.ndarray, missing: int
) -> np.ndarray:
    """Count the candidates that score at least as high as the held-out game; a tie counts against it."""
    weights, inside = type_weights(world, histories)
    outside = world.total_odds - inside
    own = world.odds(held_out).T  # (users, types)
    targets = (weights * own).sum(axis=1) if missing == 1 else (weights * own * (outside - own)).sum(axis=1)
    owner = np.repeat(np.arange(len(histories)), [len(games) for games in histories])
    seen = np.concatenate(histories)
    better = np.zeros(len(histories), np.int64)
    for start in range(0, len(known), _GAMES_AT_ONCE):
        games = np.arange(start, min(start + _GAMES_AT_ONCE, len(known)))
        chunk = scores(weights, outside, world.odds(games), missing)
        chunk[:, ~known[games]] = -np.inf
        for user, game in ((owner, seen), (np.arange(len(histories)), held_out)):
            here = (game >= start) & (game <= games[-1])
            chunk[user[here], game[here] - start] = -np.inf
        better += (chunk >= targets[:, None]).sum(axis=1)
    return better
