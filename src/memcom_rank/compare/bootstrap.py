"""Compare room (floor 4): values of users -> their means with bootstrap intervals.

The percentile bootstrap over users (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). What
is resampled is who was asked; the luck of a training run is not in the interval.

Shapes: N users, M means, R resamples, S sums over users.
"""

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95
LEAST_USERS = 20  # below, the interval is too narrow to be believed
_CHUNK = 2**20  # numbers in memory at once, whatever the number of resamples; cache-sized

Floats = NDArray[np.float64]


def bootstrap_means(values_NM: Floats, counts_NM: Floats, resamples: int = RESAMPLES) -> tuple[Floats, Floats, Floats]:
    """Return means [M] with the lower [M] and upper [M] ends of their 95% intervals; the same numbers every time.

    Args:
        values_NM: the sum of each user's values, finite; 0 where it has none.
        counts_NM: how many values that are; [N, 1] where they are the same for all M. Users are drawn whole.
        resamples: R; 10,000 take 10 seconds for 100,000 users.
    """
    columns = values_NM.shape[1]
    mean_M = values_NM.sum(0) / counts_NM.sum(0)
    sums_RS = _resampled_sums(np.column_stack([values_NM, counts_NM]), resamples)
    means_RM = sums_RS[:, :columns] / sums_RS[:, columns:]
    low_M, high_M = np.quantile(means_RM, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return mean_M, low_M, high_M


def _resampled_sums(values_NS: Floats, resamples: int) -> Floats:
    """Sums over N users drawn with replacement, R times. All columns share a draw."""
    users, columns = values_NS.shape
    draw = np.random.default_rng(0)
    sums_RS = np.empty((resamples, columns))
    step = max(1, _CHUNK // users)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        chosen = draw.integers(users, size=(size, users)) + users * np.arange(size)[:, None]
        times_RN = np.bincount(chosen.reshape(-1), minlength=size * users).reshape(size, users)
        sums_RS[start : start + size] = times_RN @ values_NS
    return sums_RS
