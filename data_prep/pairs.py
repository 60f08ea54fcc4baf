"""Pairs: a user's graded training games -> (preferred, other) pairs of different grade, capped per user.

The pairs are never enumerated. With a user's rows sorted by grade, the games below a row are a contiguous run from the
user's start, so cumulative sums number all strict pairs 0..total-1; one number is drawn from each of `cap` equal
strata, which makes them distinct by construction.
"""

import numpy as np
import polars as pl
import pyarrow as pa

_SEED_STREAM = 2  # this step's own random stream under the build's seed


def pair_table(log: pl.DataFrame, *, largest_gap: int, cap: int, seed: int) -> pa.Table:
    """Return row, preferred, other, weight; sorted by row.

    Args:
        log: training rows with row, id, grade, in any order.
        largest_gap: highest minus lowest possible grade; weight is the gap over it.
        cap: most pairs per user; all pairs are kept where there are no more.
        seed: the build's seed.
    """
    rows = log.select("row", "id", "grade").sort("row", "grade", "id")
    user, game, grade = (rows[name].to_numpy() for name in ("row", "id", "grade"))
    preferred, other = draw_pairs(user, grade, cap, np.random.default_rng([seed, _SEED_STREAM]))
    gap = grade[preferred] - grade[other]
    weight = (gap / max(largest_gap, 1)).astype(np.float32)
    return pa.table({"row": user[preferred], "preferred": game[preferred], "other": game[other], "weight": weight})


def draw_pairs(
    user: np.ndarray, grade: np.ndarray, cap: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw at most `cap` pairs of positions per user with grade[preferred] > grade[other].

    Args:
        user: (rows,) user of each row, ascending.
        grade: (rows,) grade of each row, ascending within a user.
        cap: most pairs per user.
        rng: source of the draws.

    Returns:
        Positions (pairs,) of the preferred and of the other row, in order of user.
    """
    if not len(user):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    position = np.arange(len(user))
    new_user = np.concatenate([[True], user[1:] != user[:-1]])
    new_run = new_user | np.concatenate([[True], grade[1:] != grade[:-1]])
    user_start = np.maximum.accumulate(np.where(new_user, position, 0))
    run_start = np.maximum.accumulate(np.where(new_run, position, 0))
    lower = run_start - user_start  # lower-graded games of the same user: positions user_start .. run_start - 1
    before = np.cumsum(lower) - lower  # pairs of all rows above

    total = np.add.reduceat(lower, np.flatnonzero(new_user))  # (users,)
    taken = np.minimum(total, cap)
    owner = np.repeat(np.arange(len(total)), taken)  # (pairs,)
    stratum = np.arange(len(owner)) - np.repeat(np.cumsum(taken) - taken, taken)
    low = stratum * total[owner] // taken[owner]
    high = (stratum + 1) * total[owner] // taken[owner]
    number = low + np.floor(rng.random(len(owner)) * (high - low)).astype(np.int64)  # within the user

    number += before[np.flatnonzero(new_user)][owner]  # over all users
    preferred = np.searchsorted(before, number, side="right") - 1
    return preferred, user_start[preferred] + number - before[preferred]
