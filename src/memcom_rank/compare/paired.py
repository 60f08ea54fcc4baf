"""Compare room (floor 4): two rankers' metrics of the same users -> their mean difference with a bootstrap interval.

Shapes: N users, M metrics.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from memcom_rank.compare.bootstrap import LEAST_USERS, Floats, bootstrap_means


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
    counts_N1 = np.ones((len(a_NM), 1)) if counts_N is None else counts_N.astype(np.float64)[:, None]
    mean_M, low_M, high_M = bootstrap_means(b_NM.astype(np.float64) - a_NM, counts_N1)
    a_M, b_M = (values_NM.sum(0, dtype=np.float64) / counts_N1.sum() for values_NM in (a_NM, b_NM))
    columns_M = (values.tolist() for values in (a_M, b_M, mean_M, low_M, high_M))
    return [Difference(a, b, mean, low, high, len(a_NM)) for a, b, mean, low, high in zip(*columns_M, strict=True)]
