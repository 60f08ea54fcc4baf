# ruff: noqa: N815 (fields carry shape suffixes)
"""Embedding room (floor 1): what techniques have in common whose ids share rows and differ by a scalar or two.

Takes a technique -> gives its linear form, from which the best games are found without scoring all (`top_k.py`).
"""

import abc
from typing import NamedTuple

from torch import Tensor

from memcom_rank.embeddings.base import CompressedEmbedding


class LinearForm(NamedTuple):
    """What the scores of a query are made of, with `projected` from `project`:

        score(i) = projected[row[i]] * scale[i]  (+ projected[-1] * offset[i])

    Attributes:
        row_V: the shared row of each id, int32 or int64.
        scale_V: the multiplier of each id.
        offset_V: the multiplier of the projection's last column (of MEmCom, the sum of the query); None without one.
    """

    row_V: Tensor
    scale_V: Tensor
    offset_V: Tensor | None = None


class SharedRowEmbedding(CompressedEmbedding):
    """A technique with a linear form. It implements `linear_form`."""

    @abc.abstractmethod
    def linear_form(self) -> LinearForm:
        """Return rows and scalars of every id; `tiles` multiplies and adds in the order that the form states."""
