"""Split: every (user, game) row -> train, validation or test. Takes a log sorted by (user, game).

Each rule is a pure function of the sorted rows (and the seed), so neither input order nor row order within a user,
which can give away what was played most, decides what is held out.
"""

import numpy as np
import polars as pl

from data_prep.options import Options
from memcom_rank.contract.errors import SplitError

SPLIT = pl.Enum(["train", "validation", "test"])
_TRAIN, _VALIDATION, _TEST = range(3)
_SEED_STREAM = 1  # this step's own random stream under the build's seed
TIME_CUT_SHARE = 0.1  # of all rows: the last go to test, as many before to validation


def add_split(log: pl.DataFrame, options: Options) -> pl.DataFrame:
    """Return `log` with the column `split` (train, validation, test).

    Args:
        log: one row per (user, game), sorted by (user, game); with `timestamp` or `split` where the rule needs it.
        options: split, seed and min_games.

    Raises:
        SplitError: nobody can be evaluated, or nothing is left to train on.
    """
    users = log["user"].rle_id().to_numpy()
    rng = np.random.default_rng([options.seed, _SEED_STREAM])
    if options.split_column is not None:
        codes = published(users, log["split"].to_physical().to_numpy(), rng, options.min_games)
    elif options.split_name == "time-cut":
        codes = time_cut(log["timestamp"].to_numpy())
    elif options.split_name == "leave-last-out":
        codes = hold_out_last(users, log["timestamp"].to_numpy(), options.min_games)
    else:
        codes = hold_out_last(users, rng.random(len(users)), options.min_games)
    _check(codes, options, users)
    return log.with_columns(pl.Series("split", codes.astype(np.uint8)).cat.to(SPLIT))


def hold_out_last(users: np.ndarray, order: np.ndarray, min_games: int) -> np.ndarray:
    """Hold out each user's last game by `order` for test and the one before for validation.

    With times this is leave-last-out; with random numbers it is a uniform draw of two games. Equal values are ordered
    by game id, as the rows are.

    Args:
        users: (rows,) user numbers, ascending.
        order: (rows,) anything sortable.
        min_games: users with fewer rows stay in train.

    Returns:
        (rows,) split codes.
    """
    codes = np.full(len(users), _TRAIN)
    by_order = np.lexsort((order, users))  # stable: ties keep the rows' order
    counts = np.bincount(users)
    last = np.cumsum(counts)[counts >= min_games] - 1
    codes[by_order[last]] = _TEST
    codes[by_order[last - 1]] = _VALIDATION
    return codes


def time_cut(times: np.ndarray) -> np.ndarray:
    """Cut all rows at two moments; rows of the same time always fall on the same side.

    Args:
        times: (rows,) times.

    Returns:
        (rows,) split codes.

    Raises:
        SplitError: fewer than three distinct times.
    """
    ordered = np.sort(times)
    test_from = ordered[-max(1, int(len(ordered) * TIME_CUT_SHARE))]
    earlier = ordered[ordered < test_from]
    validation_from = earlier[-min(len(earlier), max(1, int(len(ordered) * TIME_CUT_SHARE)))] if len(earlier) else 0
    if not len(earlier) or validation_from == ordered[0]:
        raise SplitError(
            f"the time cut leaves no training rows: {len(np.unique(times)):,} distinct times in {len(times):,} rows",
            wanted="times that spread the rows",
            fix="use a finer --timestamp, or --split holdout",
        )
    return np.where(times >= test_from, _TEST, np.where(times >= validation_from, _VALIDATION, _TRAIN))


def published(users: np.ndarray, codes: np.ndarray, rng: np.random.Generator, min_games: int) -> np.ndarray:
    """Keep a published split; without a validation part, draw one training game of each user with >= min_games.

    Args:
        users: (rows,) user numbers, ascending.
        codes: (rows,) published split codes.
        rng: source of the draw.
        min_games: training games a user needs to give one away.

    Returns:
        (rows,) split codes.
    """
    if (codes == _VALIDATION).any():
        return codes.copy()
    result = codes.copy()
    train = np.flatnonzero(codes == _TRAIN)
    if not len(train):
        return result
    owners = users[train]
    by_draw = train[np.lexsort((rng.random(len(train)), owners))]
    counts = np.bincount(owners)
    last = np.cumsum(counts)[counts >= min_games] - 1
    result[by_draw[last]] = _VALIDATION
    return result


def _check(codes: np.ndarray, options: Options, users: np.ndarray) -> None:
    """Refuse a split without training rows, or with nobody to evaluate."""
    for code, name in enumerate(SPLIT.categories):
        if not (codes == code).any():
            most = int(np.bincount(users).max())
            raise SplitError(
                f"--split {options.split} leaves no {name} rows; the largest user has {most:,} games",
                wanted=f"users with at least {options.min_games} games, and rows in train, validation and test",
                fix="lower --min-games (3 is the least), bring a larger log, or choose another --split",
            )
