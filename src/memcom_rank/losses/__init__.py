"""Losses room (floor 1): one loss a file, pure functions of scores and weights.

All but the softmax losses compare users' hidden games with a step's candidates and take the same arguments, so that a
config names one by its import path: loss(preferred_N, user_N, other_BK, real_BK, log_q_BK, weights_N) -> scalar.
"""

from memcom_rank.losses.bce import bce_loss
from memcom_rank.losses.bpr import bpr_loss
from memcom_rank.losses.gbce import gbce_loss
from memcom_rank.losses.lambdarank import lambdarank_loss
from memcom_rank.losses.ranknet import ranknet_loss
from memcom_rank.losses.sampled_softmax import sampled_softmax_loss
from memcom_rank.losses.softmax import softmax_loss, tiled_softmax_loss

__all__ = [
    "bce_loss",
    "bpr_loss",
    "gbce_loss",
    "lambdarank_loss",
    "ranknet_loss",
    "sampled_softmax_loss",
    "softmax_loss",
    "tiled_softmax_loss",
]
