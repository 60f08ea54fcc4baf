"""Losses room (floor 1): training losses, one formula a file. Pure tensors."""

from memcom_rank.losses.ranknet import ranknet_loss

__all__ = ["ranknet_loss"]
