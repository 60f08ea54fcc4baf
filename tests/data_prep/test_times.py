import dataclasses
import random
from typing import Any

import numpy as np
import pytest

from data_prep.times import later_rows, order_in_time
from tests.data_prep.test_describe import MANIFEST


def test_later_rows_against_a_double_loop() -> None:
    draw = random.Random(1)
    rows = [(draw.randrange(6), draw.randrange(12), draw.choice(["train", "test", "validation"])) for _ in range(80)]
    owners, times = (np.array([row[n] for row in rows]) for n in (0, 1))
    train, test = (np.array([row[2] == name for row in rows]) for name in ("train", "test"))
    trained = [(user, time) for user, time, split in rows if split == "train"]
    tested = [(user, time) for user, time, split in rows if split == "test"]
    later = [[time > moment for _, time in trained] for _, moment in tested]
    assert later_rows(owners, times, train, test) == {
        "later_than_own_test": sum(any(u == v and t > m for v, m in tested) for u, t in trained),
        "later_than_first_test": sum(any(column) for column in zip(*later, strict=True)),
        "later_than_test_mean_share": pytest.approx(np.mean(later), abs=1e-4),
    }


def test_rows_of_one_moment_are_not_later() -> None:
    split = np.array([True, False])
    found = later_rows(np.array([0, 0]), np.array([5, 5]), split, ~split)
    assert set(found.values()) == {0}


def told(split: str, own: int, anyone: int) -> dict[str, str]:
    figures: dict[str, Any] = {"rows": 200, "later_than_own_test": own, "later_than_first_test": anyone}
    splits = {"train": {**figures, "later_than_test_mean_share": 0.25}}
    return order_in_time(dataclasses.replace(MANIFEST, timed=True, options={"split": split}, splits=splits))


@pytest.mark.parametrize(
    ("split", "own", "anyone"),
    [
        ("leave-last-out", "problem", "note"),
        ("time-cut", "problem", "problem"),
        ("holdout", "note", "note"),
        ("column:part", "note", "note"),
    ],
)
def test_what_a_split_allows(split: str, own: str, anyone: str) -> None:
    found = told(split, 10, 50)
    assert [text.split(":")[0] for text in found.values()] == [own, anyone]
    assert "10 training rows (5.0%) are later than a test row of the same user" in found["own times"]
    assert "50 training rows (25.0%) are later than the first test row" in found["all times"]
    assert "the average test row has 25.0% of them after it" in found["all times"]
    assert [text.split(":")[0] for text in told(split, 0, 0).values()] == ["ok", "ok"]


def test_other_users_later_rows_are_expected_of_leave_last_out() -> None:
    found = told("leave-last-out", 0, 50)
    assert found["own times"].startswith("ok: ")
    assert found["all times"].endswith("expected: leave-last-out looks at each user alone (time-cut leaves none)")


def test_an_untimed_and_an_older_dataset() -> None:
    assert order_in_time(MANIFEST)["times"].startswith("note: the log is untimed")
    for splits in (MANIFEST.splits, {}):
        older = order_in_time(dataclasses.replace(MANIFEST, timed=True, splits=splits))
        assert older["times"].startswith("unknown: this dataset was built before")
