"""The best possible ranking of the synthetic world: exact Bayes, given the set of games in a user's history.

Under the hold-out split a user with n owned games gives one validation and one test game, uniformly at random. With
C_k = prod_i (1 - q_ki), odds_ki = exp(lambda_ki) - 1, O_k(rest) = sum of odds over games outside the history S:
    test (S = train + validation games):  P(test = j | S) ~ sum_k pi_k C_k prod_S odds_ki  odds_kj
    validation (S = train games):         P(val  = j | S) ~ sum_k pi_k C_k prod_S odds_ki  odds_kj (O_k(rest) - odds_kj)
n is known from |S|, so "n >= min_games" and the 1/n of the draw are constants. No ranker that sees only the set of games
can have a higher expected nDCG; one that also sees grades might, as hours carry a little more about the taste.
"""

import numpy as np
import polars as pl

from data_prep.sources.synthetic import World
from memcom_rank.contract.schemas import UNKNOWN_ID

MAX_USERS = 10_000  # evaluated users, a seeded sample; fewer where the catalogue is huge (see WORK)
WORK = 2e10  # multiply-adds of one split: users x types x games
_SEED_STREAM = 5  # this step's own random stream under the build's seed
_USERS_AT_ONCE, _GAMES_AT_ONCE = 1024, 4096  # bounds every array by about 1024 x 4096


def bayes_references(world: World, log: pl.DataFrame, seed: int) -> tuple[dict[str, float], int]:
    """Return the manifest's references and the number of users they were averaged over.

    Args:
        world: the truth.
        log: graded and indexed rows under the hold-out split; `game` is the game's position in the world.
        seed: the build's seed.
    """
    num_types = len(world.taste_share) * len(world.activity)
    users = log.filter(pl.col("split") == "test")["row"].sort().to_numpy()
    most = min(MAX_USERS, max(100, int(WORK / (num_types * world.choice_TG.shape[1]))), len(users))
    rng = np.random.default_rng([seed, _SEED_STREAM])
    users = np.sort(rng.choice(users, most, replace=False))
    known = np.zeros(world.choice_TG.shape[1], bool)
    known[log.filter(pl.col("id") != UNKNOWN_ID)["game"].to_numpy()] = True

    train = pl.col("split") == "train"
    seen = log.filter(pl.col("row").is_in(pl.Series(users).implode()))
    references = {}
    for split, history, key in (
        ("test", pl.col("split") != "test", "synthetic.bayes"),
        ("validation", train, "synthetic.bayes.validation"),
    ):
        held_out = seen.filter(pl.col("split") == split).sort("row")["game"].to_numpy()
        past = seen.filter(history).sort("row", "game")
        sets = np.split(past["game"].to_numpy(), np.flatnonzero(np.diff(past["row"].to_numpy())) + 1)
        ranks = bayes_ranks(world, sets, held_out, known, second=split == "test")
        gain = np.where(known[held_out], 1 / np.log2(1 + ranks), 0.0)  # one relevant game: ideal DCG is 1
        references[f"{key}.ndcg@10"] = round(float(np.where(ranks <= 10, gain, 0).mean()), 6)
        if split == "test":
            references[f"{key}.ndcg"] = round(float(gain.mean()), 6)
    return references, len(users)


def bayes_ranks(
    world: World, histories: list[np.ndarray], held_out: np.ndarray, known: np.ndarray, *, second: bool
) -> np.ndarray:
    """Rank each held-out game among the known games outside the history; 1 is best.

    Args:
        world: the truth.
        histories: games of each user's history, never empty.
        held_out: (users,) the game to find.
        known: (games,) the candidates: games of the training vocabulary.
        second: true where only one owned game is missing from the history (test), false for two (validation).

    Returns:
        (users,) ranks.
    """
    ranks = np.empty(len(histories), np.int64)
    for start in range(0, len(histories), _USERS_AT_ONCE):
        part = slice(start, start + _USERS_AT_ONCE)
        ranks[part] = _ranks(world, histories[part], held_out[part], known, second)
    return ranks


def _ranks(
    world: World, histories: list[np.ndarray], held_out: np.ndarray, known: np.ndarray, second: bool
) -> np.ndarray:
    weight_UK, rest_UK = _posterior(world, histories)
    linear_UK = weight_UK if second else weight_UK * rest_UK
    owner = np.repeat(np.arange(len(histories)), [len(games) for games in histories])
    game = np.concatenate(histories)

    def scores(games: np.ndarray) -> np.ndarray:
        odds_KG = _odds(world, games)
        return linear_UK @ odds_KG - (0 if second else weight_UK @ odds_KG**2)

    target = np.empty(len(histories))
    ranks = np.ones(len(histories), np.int64)
    chunks = range(0, len(known), _GAMES_AT_ONCE)
    for fill in (True, False):  # first the held-out games' own scores, then how many games beat them
        for start in chunks:
            inside = np.flatnonzero((held_out >= start) & (held_out < start + _GAMES_AT_ONCE))
            if fill and not len(inside):
                continue
            scores_UG = scores(np.arange(start, min(start + _GAMES_AT_ONCE, len(known))))
            if fill:
                target[inside] = scores_UG[inside, held_out[inside] - start]
                continue
            scores_UG[:, ~known[start : start + _GAMES_AT_ONCE]] = -np.inf
            past = (game >= start) & (game < start + _GAMES_AT_ONCE)
            scores_UG[owner[past], game[past] - start] = -np.inf
            scores_UG[inside, held_out[inside] - start] = -np.inf
            ranks += (scores_UG >= target[:, None]).sum(axis=1)  # a tie counts against the held-out game
    return ranks


def _odds(world: World, games: np.ndarray) -> np.ndarray:
    """Return odds_KG, (types, games); types are in order (taste, activity)."""
    rate = world.choice_TG[:, None, games] * world.activity[None, :, None]
    return np.expm1(rate).reshape(-1, len(games))


def _posterior(world: World, histories: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return pi_k C_k prod_S odds_ki, scaled to sum to 1 per user, and O_k(rest); both (users, types)."""
    # log C_k = -sum_i lambda_ki = -activity_k, as choice sums to 1
    prior_K = (np.log(world.taste_share)[:, None] + np.log(world.activity_share) - world.activity).reshape(-1)
    total_K = np.zeros(len(prior_K))
    for start in range(0, world.choice_TG.shape[1], _GAMES_AT_ONCE):
        games = np.arange(start, min(start + _GAMES_AT_ONCE, world.choice_TG.shape[1]))
        total_K += _odds(world, games).sum(axis=1)
    log_UK = np.empty((len(histories), len(prior_K)))
    inside_UK = np.empty_like(log_UK)
    for user, games in enumerate(histories):
        odds_KS = _odds(world, games)
        log_UK[user] = prior_K + np.log(odds_KS).sum(axis=1)
        inside_UK[user] = odds_KS.sum(axis=1)
    log_UK -= log_UK.max(axis=1, keepdims=True)
    weight_UK = np.exp(log_UK)
    return weight_UK / weight_UK.sum(axis=1, keepdims=True), total_K - inside_UK
