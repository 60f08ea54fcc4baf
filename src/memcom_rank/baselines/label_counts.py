"""Baselines room (floor 2): labels from closed forms, without training steps: fit(...), score(history_BL) -> scores_BC.

Naive Bayes: log P(c) + sum over the history's games i of log P(i | c), multinomial over the bag of games with additive
smoothing (Manning et al. 2008, Introduction to Information Retrieval, section 13.2). It is linear in the bag of games;
padding and the unknown game say nothing. Where games say nothing at all, it is the majority.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID

SMOOTHINGS: Sequence[float] = (0.01, 0.1, 1.0, 10.0)


class NaiveBayes:
    """Multinomial naive Bayes over the games of a history.

    Args:
        smoothing: added to every count of a game with a label, above 0; at infinity games say nothing, and every user
            gets the most frequent label.
    """

    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing

    def fit(self, labels_N: Tensor, games_N: Tensor, labels_B: Tensor, num_labels: int, num_ids: int) -> "NaiveBayes":
        """Fit to training users.

        Args:
            labels_N: int64, the label of the user of each (user, game).
            games_N: int64, its game id; padding (0) and unknown (1) do not contribute.
            labels_B: int64, the label of each training user.
            num_labels: C.
            num_ids: V, ids of the vocabulary, padding and unknown included.
        """
        # a label that no training user has is the least likely, and not impossible
        self.prior_C = torch.bincount(labels_B, minlength=num_labels).double().clamp(min=0.5).log()
        counts_VC = torch.bincount(games_N * num_labels + labels_N, minlength=num_ids * num_labels).double()
        counts_VC = counts_VC.view(num_ids, num_labels)[FIRST_GAME_ID:]
        if self.smoothing == torch.inf:
            likely_VC = torch.zeros_like(counts_VC)
        else:
            likely_VC = (counts_VC + self.smoothing).log() - (counts_VC + self.smoothing).sum(0).log()
        self.weights_VC = functional.pad(likely_VC, (0, 0, FIRST_GAME_ID, 0))
        return self

    def score(self, history_BL: Tensor) -> Tensor:
        """Return float64 scores [B, C] for int64 histories padded with 0."""
        bag_BC = functional.embedding_bag(history_BL, self.weights_VC, mode="sum", padding_idx=PADDING_ID)
        return self.prior_C + bag_BC
