"""Tasks room (floor 3): LightningModules. Wiring only: steps, log keys, optimizer."""

from memcom_rank.tasks.classifier import Classifier
from memcom_rank.tasks.label_classifier import LabelClassifier
from memcom_rank.tasks.paper_classifier import PaperClassifier
from memcom_rank.tasks.ranknet import RankNet
from memcom_rank.tasks.task import Task

__all__ = ["Classifier", "LabelClassifier", "PaperClassifier", "RankNet", "Task"]
