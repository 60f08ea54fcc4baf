"""The paired bootstrap against closed forms."""

import statistics

import numpy as np
import pytest

from memcom_rank.compare import LEAST_USERS, Difference, paired_bootstrap
from tests.compare.runs import skewed_gaps


def only(a_N, b_N, **counts):
    (found,) = paired_bootstrap(np.asarray(a_N, float)[:, None], np.asarray(b_N, float)[:, None], **counts)
    return found


def test_many_users_follow_normal_theory():
    draw = np.random.default_rng(3)
    a_N = draw.random(2_000)
    gap_N = skewed_gaps(draw, 2_000)
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
