"""The bootstrap against plain loops, and simulations whose truth is known."""

import numpy as np
import pytest

from memcom_rank.compare import bootstrap
from memcom_rank.compare.bootstrap import bootstrap_means
from tests.compare.runs import skewed_gaps


def test_sums_equal_a_plain_loop(monkeypatch):
    monkeypatch.setattr(bootstrap, "_CHUNK", 7 * 3 + 2)  # three resamples at a time
    values_NS = np.random.default_rng(5).normal(size=(7, 2))
    draw = np.random.default_rng(0)
    wanted = [values_NS[draw.integers(7, size=7)].sum(0) for _ in range(50)]
    np.testing.assert_allclose(bootstrap._resampled_sums(values_NS, 50), wanted, rtol=1e-12)


def test_means_of_parts_of_the_users_equal_a_plain_loop():
    values_N = np.random.default_rng(1).random(30)
    member_N = np.arange(30) < 12
    draw = np.random.default_rng(0)
    drawn = [draw.integers(30, size=30) for _ in range(200)]
    means = [[values_N[users].mean(), values_N[users][member_N[users]].mean()] for users in drawn]
    wanted = [
        [values_N.mean(), values_N[:12].mean()],
        np.percentile(means, 2.5, axis=0),
        np.percentile(means, 97.5, axis=0),
    ]
    members_NM = np.column_stack([np.ones(30), member_N])
    np.testing.assert_allclose(bootstrap_means(values_N[:, None] * members_NM, members_NM, 200), wanted, rtol=1e-12)


def test_counts_of_all_columns_may_be_one_column():
    values_NM, counts_N1 = np.random.default_rng(2).random((40, 3)), np.arange(1.0, 41.0)[:, None]
    one, each = bootstrap_means(values_NM, counts_N1), bootstrap_means(values_NM, np.repeat(counts_N1, 3, axis=1))
    np.testing.assert_allclose(one, each, rtol=1e-12)


def test_the_same_values_give_the_same_interval():
    values_NM = np.random.default_rng(3).random((50, 1))
    first, again = (bootstrap_means(values_NM, np.ones((50, 1))) for _ in range(2))
    assert first == again
    mean, low, high = (end.item() for end in first)
    width = 1.96 * values_NM.std() / np.sqrt(50)
    assert (low, high) == pytest.approx((mean - width, mean + width), abs=0.1 * width)


@pytest.mark.slow
def test_the_interval_covers_the_truth_as_often_as_it_says():
    """500 worlds of 200 users: 95% within three standard errors, and a little less as small skewed samples go."""
    draw, truth = np.random.default_rng(11), 0.3 * (0.3 - 0.2)
    gaps = (skewed_gaps(draw, 200) for _ in range(500))
    found = [bootstrap_means(gap_N[:, None], np.ones((200, 1)), 1_000) for gap_N in gaps]
    covered = np.mean([low <= truth <= high for _, low, high in found])
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 500) - 0.01 < covered < 0.95 + 3 * np.sqrt(0.95 * 0.05 / 500)
