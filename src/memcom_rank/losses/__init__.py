"""Losses room (floor 1): one loss a file, pure functions of scores and weights."""

from memcom_rank.losses.ranknet import ranknet_loss, top_heavy_weights
from memcom_rank.losses.softmax import softmax_loss, tiled_softmax_loss

__all__ = ["ranknet_loss", "softmax_loss", "tiled_softmax_loss", "top_heavy_weights"]
