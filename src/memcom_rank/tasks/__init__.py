"""Tasks room (floor 3): LightningModules. Wiring only: steps, log keys, optimizer."""

from memcom_rank.tasks.ranknet import RankNet

__all__ = ["RankNet"]
