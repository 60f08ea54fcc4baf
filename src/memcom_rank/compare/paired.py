"""Compare room (floor 4): two rankers' metrics of the same users -> their mean difference with a bootstrap interval.

The percentile bootstrap over users (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). What
is resampled is who was asked; the luck of a training run is not in the interval.

Shapes: N users, M metrics, R resamples, S sums over users.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95
LEAST_USERS = 20  # below, the interval is too narrow to be believed
_CHUNK = 2**20  # numbers in memory at once, whatever the number of resamples; cache-sized

Floats = NDArray[np.float64]


class Difference(NamedTuple):
    """What going from ranker A to ranker B changes in one metric where higher is better.

    Attributes:
        mean_a: mean of A.
        mean_b: mean of B.
        mean: B minus A.
        low: lower end of the 95% interval of `mean`.
        high: its upper end.
        users: how many users were compared.
    """

    mean_a: float
    mean_b: float
    mean: float
    low: float
    high: float
    users: int

    @property
    def verdict(self) -> str:
        """What B is: "better", "worse" or "not resolved" (0 is inside the interval, or there are too few users)."""
        if self.users < LEAST_USERS or self.low <= 0 <= self.high:
            return "not resolved"
        return "better" if self.low > 0 else "worse"


def paired_bootstrap(a_NM: Floats, b_NM: Floats, *, counts_N: NDArray[np.int64] | None = None) -> list[Difference]:
    """Compare two rankers on the same users; the same arguments give the same numbers.

    Args:
        a_NM: metrics of ranker A by user, finite; at least one user.
        b_NM: those of ranker B, users and metrics in the same order.
        counts_N: where a user has several values (say, one per seed), how many; `a_NM` and `b_NM` are then their sums,
            means are over all values, and users are still drawn whole. One each by default.

    Returns:
        A difference per metric.
    """
    users, metrics = a_NM.shape
    counts = np.ones(users) if counts_N is None else counts_N.astype(np.float64)
    gap_NM = b_NM.astype(np.float64) - a_NM
    sums_RS = _resampled_sums(np.column_stack([gap_NM, counts]))
    means_RM = sums_RS[:, :metrics] / sums_RS[:, metrics:]
    low_M, high_M = np.quantile(means_RM, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    a_M, b_M, mean_M = (values.sum(0, dtype=np.float64) / counts.sum() for values in (a_NM, b_NM, gap_NM))
    columns_M = (values.tolist() for values in (a_M, b_M, mean_M, low_M, high_M))
    return [Difference(a, b, mean, low, high, users) for a, b, mean, low, high in zip(*columns_M, strict=True)]


def _resampled_sums(values_NS: Floats) -> Floats:
    """Sums over N users drawn with replacement, R times. All columns share a draw."""
    users, columns = values_NS.shape
    draw = np.random.default_rng(0)
    sums_RS = np.empty((RESAMPLES, columns))
    step = max(1, _CHUNK // users)
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        chosen = draw.integers(users, size=(size, users)) + users * np.arange(size)[:, None]
        times_RN = np.bincount(chosen.reshape(-1), minlength=size * users).reshape(size, users)
        sums_RS[start : start + size] = times_RN @ values_NS
    return sums_RS
