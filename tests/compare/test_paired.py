"""The bootstrap against closed forms, a plain loop, and simulations whose truth is known."""

import statistics

import numpy as np
import pytest

from memcom_rank.compare import paired
from memcom_rank.compare.paired import LEAST_USERS, Difference, paired_bootstrap


def only(a_N, b_N, **counts):
    (found,) = paired_bootstrap(np.asarray(a_N, float)[:, None], np.asarray(b_N, float)[:, None], **counts)
    return found


def recommender_gaps(draw, size):
    """Most users are a tie, some win much, some lose little: skewed, like real differences of nDCG."""
    return np.where(draw.random(size) < 0.7, 0.0, draw.exponential(0.3, size) - 0.2)


def test_many_users_follow_normal_theory():
    draw = np.random.default_rng(3)
    a_N = draw.random(2_000)
    gap_N = recommender_gaps(draw, 2_000)
    found = only(a_N, a_N + gap_N)
    mean, error = gap_N.mean(), gap_N.std(ddof=1) / np.sqrt(2_000)
    width = statistics.NormalDist().inv_cdf(0.975) * error
    assert (found.mean_a, found.mean_b) == (pytest.approx(a_N.mean()), pytest.approx((a_N + gap_N).mean()))
    assert found.mean == pytest.approx(mean)
    assert (found.low, found.high) == pytest.approx((mean - width, mean + width), abs=0.05 * width)


def test_pairing_sees_what_two_means_do_not():
    """A gain of 0.01 for everyone, among users who differ by 0.3."""
    a_N = np.random.default_rng(0).normal(0.5, 0.3, 200)
    found = only(a_N, a_N + 0.01 + np.random.default_rng(1).normal(0, 0.01, 200))
    assert found.verdict == "better"
    assert found.high - found.low < 0.005


def test_users_with_several_values_follow_the_delta_method():
    draw = np.random.default_rng(1)
    counts_N = draw.integers(1, 4, 1_000)
    gap_N = counts_N * draw.normal(0.05, 0.3, 1_000)
    found = only(np.zeros(1_000), gap_N, counts_N=counts_N)
    assert found.mean == pytest.approx(gap_N.sum() / counts_N.sum())
    error = 1.96 * np.std(gap_N - found.mean * counts_N) / np.sqrt(1_000) / counts_N.mean()
    assert (found.low, found.high) == pytest.approx((found.mean - error, found.mean + error), abs=0.06 * error)


def test_sums_equal_a_plain_loop(monkeypatch):
    monkeypatch.setattr(paired, "RESAMPLES", 50)
    monkeypatch.setattr(paired, "_CHUNK", 7 * 3 + 2)  # three resamples at a time
    values_NS = np.random.default_rng(5).normal(size=(7, 2))
    draw = np.random.default_rng(0)
    wanted = [values_NS[draw.integers(7, size=7)].sum(0) for _ in range(50)]
    np.testing.assert_allclose(paired._resampled_sums(values_NS), wanted, rtol=1e-12)


def test_metrics_side_by_side_equal_metrics_alone():
    draw = np.random.default_rng(2)
    a_NM, b_NM = draw.random((2, 60, 3))
    assert paired_bootstrap(a_NM, b_NM) == [
        pytest.approx(only(a_NM[:, m], b_NM[:, m]), rel=1e-9, abs=1e-12) for m in range(3)
    ]


def test_swapping_the_runs_mirrors_the_answer():
    a_N, b_N = np.random.default_rng(4).random((2, 80))
    there, back = only(a_N, b_N + 0.3), only(b_N + 0.3, a_N)
    assert (there.verdict, back.verdict) == ("better", "worse")
    assert (back.mean, back.low, back.high) == pytest.approx((-there.mean, -there.high, -there.low))


def test_no_difference_is_exactly_zero():
    a_N = np.random.default_rng(0).random(100).astype(np.float32)
    found = only(a_N, a_N)
    assert (found.mean, found.low, found.high, found.verdict) == (0, 0, 0, "not resolved")


def test_one_user_resolves_nothing():
    found = only([0.2], [0.9])
    assert (found.mean, found.low, found.high) == pytest.approx((0.7, 0.7, 0.7))
    assert (found.users, found.verdict) == (1, "not resolved")


@pytest.mark.parametrize(
    ("low", "high", "users", "verdict"),
    [
        (0.001, 0.2, LEAST_USERS, "better"),
        (-0.2, -0.001, LEAST_USERS, "worse"),
        (0.0, 0.2, 500, "not resolved"),
        (-0.2, 0.0, 500, "not resolved"),
        (-0.1, 0.2, 500, "not resolved"),
        (0.001, 0.2, LEAST_USERS - 1, "not resolved"),
    ],
)
def test_verdicts(low, high, users, verdict):
    assert Difference(0.1, 0.2, (low + high) / 2, low, high, users).verdict == verdict


@pytest.mark.slow
def test_the_interval_covers_the_truth_as_often_as_it_says(monkeypatch):
    """500 worlds of 200 users: 95% within three standard errors, and a little less as small skewed samples go."""
    monkeypatch.setattr(paired, "RESAMPLES", 1_000)
    draw, truth = np.random.default_rng(11), 0.3 * (0.3 - 0.2)
    gaps = (recommender_gaps(draw, 200) for _ in range(500))
    found = [only(np.zeros(200), gap_N) for gap_N in gaps]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 500) - 0.01 < covered < 0.95 + 3 * np.sqrt(0.95 * 0.05 / 500)
