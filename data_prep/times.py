"""Times: training rows that are later than test rows, counted at build time, told by `describe`.

The tables hold no times, so the counts travel in the manifest's figures of the training split.
"""

import numpy as np
from numpy.typing import NDArray

from memcom_rank.contract.manifest import Manifest

_OWN, _FIRST, _MEAN = KEYS = ("later_than_own_test", "later_than_first_test", "later_than_test_mean_share")


def later_rows(
    owners: NDArray[np.int64], times: NDArray[np.int64], train: NDArray[np.bool_], test: NDArray[np.bool_]
) -> dict[str, float]:
    """Count training rows strictly later than test rows.

    Args:
        owners: (rows,) user numbers.
        times: (rows,) times.
        train: (rows,) which rows are training rows; at least one.
        test: (rows,) which rows are test rows; at least one.

    Returns:
        later_than_own_test: training rows later than the first test row of the same user.
        later_than_first_test: training rows later than the first test row of anyone.
        later_than_test_mean_share: the share of training rows later than a test row, averaged over the test rows.
    """
    first = np.full(owners.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, owners[test], times[test])
    ordered = np.sort(times[train])
    not_later = np.searchsorted(ordered, times[test], side="right")
    return {
        _OWN: int((times[train] > first[owners[train]]).sum()),
        _FIRST: int((ordered > times[test].min()).sum()),
        _MEAN: round(1 - float(not_later.mean()) / len(ordered), 4),
    }


def order_in_time(manifest: Manifest) -> dict[str, str]:
    """Return what the counts mean under the dataset's split: a line about own rows and one about everyone's."""
    train, split = manifest.splits.get("train", {}), str(manifest.options.get("split"))
    if not manifest.timed:
        return {"times": "note: the log is untimed, so nothing is known about what came first"}
    if not train.keys() >= set(KEYS):
        return {"times": "unknown: this dataset was built before later rows were counted; build it again to know"}
    own, anyone = int(train[_OWN]), int(train[_FIRST])
    told = {"own times": "ok: no training row is later than a test row of the same user"}
    if own:
        seen = f"{own:,} training rows ({own / train['rows']:.1%}) are later than a test row of the same user"
        told["own times"] = _judged(seen, split, wrong=split in ("leave-last-out", "time-cut"))
    told["all times"] = "ok: no training row is later than any test row"
    if anyone:
        seen = (
            f"{anyone:,} training rows ({anyone / train['rows']:.1%}) are later than the first test row of all users;"
            f" the average test row has {train[_MEAN]:.1%} of them after it"
        )
        told["all times"] = _judged(seen, split, wrong=split == "time-cut")
    return told


def _judged(seen: str, split: str, *, wrong: bool) -> str:
    if wrong:
        return f"problem: {seen}; {split} should leave none"
    meant = {
        "leave-last-out": "expected: leave-last-out looks at each user alone (time-cut leaves none)",
        "holdout": "expected: holdout draws at random (leave-last-out and time-cut go by time)",
    }
    return f"note: {seen}; {meant.get(split, 'the split is as published')}"
