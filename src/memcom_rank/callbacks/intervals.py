"""Callbacks room (floor 4): users_test.parquet -> what the summary says about intervals and slices.

Shapes: N users, M means (of each metric over all users, and of one metric over each slice).
"""

import numpy as np
import pyarrow as pa

from memcom_rank.callbacks.slices import slice_members
from memcom_rank.compare import LEAST_USERS, bootstrap_means

RESAMPLES = 2_000  # a run's end should not wait: with a million users 20 seconds


def user_figures(users: pa.Table, sliced: str) -> dict[str, float | int | None]:
    """Return, for the metric "mrr" and the slice "head", `mrr.low`, `slices.head.ndcg@10`, `slices.head.users`, ...

    All slices are there; a mean over no user is None, and so are intervals (`low`, `high`) below `LEAST_USERS`. Slices
    are left out where `sliced` was not measured.

    Args:
        users: the file; its columns of fractions are the metrics.
        sliced: the metric that is shown by slice.
    """
    metrics = [column.name for column in users.schema if pa.types.is_floating(column.type)]
    means = {name: (name, np.ones(users.num_rows, bool)) for name in metrics}
    if sliced in metrics:
        means |= {f"slices.{name}.{sliced}": (sliced, member_N) for name, member_N in slice_members(users).items()}
    members_NM = np.column_stack([member_N for _, member_N in means.values()]).astype(np.float64)
    values_NM = np.column_stack([users[metric].to_numpy() for metric, _ in means.values()]) * members_NM
    users_M = members_NM.sum(0).astype(int)
    low_M, high_M = np.full((2, len(means)), np.nan)
    enough_M = users_M >= LEAST_USERS
    if enough_M.any():
        values_NE, members_NE = values_NM[:, enough_M], members_NM[:, enough_M]
        _, low_M[enough_M], high_M[enough_M] = bootstrap_means(values_NE, members_NE, RESAMPLES)
    found: dict[str, float | int | None] = {"users": users.num_rows}
    for key, total, count, low, high in zip(means, values_NM.sum(0), users_M, low_M, high_M, strict=True):
        if key not in metrics:  # the mean over all users is the run's own metric
            found |= {f"{key.removesuffix(sliced)}users": int(count), key: float(total / count) if count else None}
        found |= {
            f"{key}.{end}": None if np.isnan(value) else float(value) for end, value in (("low", low), ("high", high))
        }
    return found
