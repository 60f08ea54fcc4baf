"""Compare room (floor 4): finished runs against each other. No torch, so that a comparison answers at once."""

from memcom_rank.compare.bootstrap import LEAST_USERS, bootstrap_means
from memcom_rank.compare.diff import compare_runs
from memcom_rank.compare.paired import Difference, paired_bootstrap

__all__ = ["LEAST_USERS", "Difference", "bootstrap_means", "compare_runs", "paired_bootstrap"]
