"""Compare room (floor 4): finished runs against each other. No torch, so that a comparison answers at once."""

from memcom_rank.compare.diff import compare_runs
from memcom_rank.compare.paired import Difference, paired_bootstrap

__all__ = ["Difference", "compare_runs", "paired_bootstrap"]
