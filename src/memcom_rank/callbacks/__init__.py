"""Callbacks room (floor 4): run folder, progress, reports, predictions. Everything here writes on rank 0 alone."""

from memcom_rank.callbacks.checkpoint import RunCheckpoint, WholeCheckpoints
from memcom_rank.callbacks.predictions import PredictionWriter
from memcom_rank.callbacks.progress import progress_bar
from memcom_rank.callbacks.report import RunReport
from memcom_rank.callbacks.run_config import SaveRunConfig
from memcom_rank.callbacks.training_meter import TrainingMeter
from memcom_rank.callbacks.user_metrics import UserMetricsWriter

__all__ = [
    "PredictionWriter",
    "RunCheckpoint",
    "RunReport",
    "SaveRunConfig",
    "TrainingMeter",
    "UserMetricsWriter",
    "WholeCheckpoints",
    "progress_bar",
]
