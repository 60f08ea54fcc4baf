"""Tasks room (floor 3): LightningModules. Wiring only: steps, log keys, optimizer."""

from memcom_rank.tasks.classifier import Classifier
from memcom_rank.tasks.paper_classifier import PaperClassifier
from memcom_rank.tasks.ranknet import RankNet

__all__ = ["Classifier", "PaperClassifier", "RankNet"]
