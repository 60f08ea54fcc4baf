import json

import numpy as np
import pyarrow as pa
import pytest

from memcom_rank.callbacks import intervals
from memcom_rank.callbacks.intervals import RESAMPLES
from memcom_rank.callbacks.slices import SLICES
from memcom_rank.compare import LEAST_USERS


def user_figures(table):
    return intervals.user_figures(table, "ndcg@10")


def users(count, *, metric="ndcg@10", seed=0):
    """Users of whom a fifth wants an unknown game; nobody is cold or has 21 games and more."""
    draw = np.random.default_rng(seed)
    return pa.table(
        {
            "user": [f"u{n}" for n in range(count)],
            metric: draw.random(count),
            "mrr": draw.random(count),
            "history_length": draw.integers(1, 21, count),
            "popularity": draw.choice(["head", "middle", "tail", "unknown"], count, p=[0.4, 0.2, 0.2, 0.2]),
        }
    )


def test_intervals_and_slices_equal_plain_loops():
    table = users(150)
    found = user_figures(table)
    rows = table.to_pylist()
    draw = np.random.default_rng(0)
    drawn = [draw.integers(150, size=150).tolist() for _ in range(RESAMPLES)]

    def interval(metric, chosen):
        means = []
        for sample in drawn:
            values = [rows[user][metric] for user in sample if chosen(rows[user])]
            means.append(sum(values) / len(values))
        return pytest.approx(np.percentile(means, [2.5, 97.5]), abs=1e-12)

    for metric in ("ndcg@10", "mrr"):
        assert [found[f"{metric}.low"], found[f"{metric}.high"]] == interval(metric, lambda row: True)
    parts = {
        "head": lambda row: row["popularity"] == "head",
        "unknown": lambda row: row["popularity"] == "unknown",
        "history_3-5": lambda row: row["history_length"] in (3, 4, 5),
        "history_6-20": lambda row: row["history_length"] >= 6,
    }
    for name, chosen in parts.items():
        values = [row["ndcg@10"] for row in rows if chosen(row)]
        key = f"slices.{name}.ndcg@10"
        assert found[f"slices.{name}.users"] == len(values)
        assert found[key] == pytest.approx(sum(values) / len(values))
        if len(values) >= LEAST_USERS:
            assert [found[f"{key}.low"], found[f"{key}.high"]] == interval("ndcg@10", chosen)
    assert found["slices.head.users"] > LEAST_USERS
    assert found["users"] == 150


def test_the_same_users_give_the_same_figures_and_all_keys_are_there():
    found = user_figures(users(60))
    assert found == user_figures(users(60)) != user_figures(users(60, seed=1))
    ends = ("", ".low", ".high")
    slices = {f"slices.{name}.{key}" for name in SLICES for key in ("users", *(f"ndcg@10{end}" for end in ends))}
    assert set(found) == {"users", *slices, *(f"{name}{end}" for name in ("ndcg@10", "mrr") for end in ends[1:])}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_an_empty_slice_has_no_mean_and_a_small_one_no_interval():
    found = user_figures(users(60))
    assert found["slices.cold.users"] == found["slices.history_21+.users"] == 0
    assert found["slices.cold.ndcg@10"] is found["slices.cold.ndcg@10.low"] is None
    assert 0 < found["slices.unknown.users"] < LEAST_USERS
    assert found["slices.unknown.ndcg@10"] > 0
    assert found["slices.unknown.ndcg@10.low"] is found["slices.unknown.ndcg@10.high"] is None


@pytest.mark.parametrize("count", [1, LEAST_USERS - 1])
def test_few_users_have_no_interval_at_all(count):
    found = user_figures(users(count))
    assert {value for key, value in found.items() if key.endswith((".low", ".high"))} == {None}
    assert user_figures(users(LEAST_USERS))["mrr.low"] is not None


def test_without_the_cutoff_there_are_no_slices():
    assert set(user_figures(users(30, metric="ndcg@3"))) == {
        "users",
        *(f"{name}.{end}" for name in ("ndcg@3", "mrr") for end in ("low", "high")),
    }
