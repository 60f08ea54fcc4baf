"""Embedding room (floor 1): what every technique is, and the counting that no technique does itself.

Takes ids (0 padding, 1 unknown, games from 2 by descending training popularity) -> gives vectors, pooled
histories and scores of the whole catalogue. The padding id is the zero vector and receives no gradient.
"""

import abc
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID

FP32_BYTES = 4


class CompressedEmbedding(nn.Module, abc.ABC):
    """A map from `num_ids` ids to vectors of width `dim`, stored in fewer bytes than a full table.

    A technique implements `_pool` and `score`. What must be stored is a parameter or a persistent buffer; what can be
    computed again is neither, or a non-persistent buffer.

    Args:
        num_ids: size of the vocabulary, padding and unknown included.
        dim: width of a vector.

    Raises:
        ConfigError: there is no game, or the width is not positive.
    """

    def __init__(self, num_ids: int, dim: int) -> None:
        super().__init__()
        if num_ids <= FIRST_GAME_ID or dim < 1:
            raise ConfigError(
                f"an embedding of {num_ids} ids and width {dim}",
                wanted=f"at least {FIRST_GAME_ID + 1} ids (padding, unknown, one game) and a width of at least 1",
                fix="check the dataset's manifest.json and the model's dim",
            )
        self.num_ids = num_ids
        self.dim = dim

    @abc.abstractmethod
    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """Sum vectors over L, each times its weight: int32 ids, weights of the parameters' type, 0 at padding."""

    @abc.abstractmethod
    def score(self, queries_BD: Tensor) -> Tensor:
        """Score every id through the technique's own structure: queries [B, dim] -> [B, num_ids]; column 0 is 0."""

    def pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """Sum vectors over L, each times its weight: int64 ids and weights [B, L] -> [B, dim].

        Padding adds nothing, whatever its weight (also infinite or nan), and gets no gradient.
        """
        weights_BL = weights_BL.to(next(self.parameters()).dtype).masked_fill(ids_BL == PADDING_ID, 0.0)
        return self._pool(ids_BL.int(), weights_BL)  # int32: half the memory traffic of ids

    def forward(self, ids: Tensor) -> Tensor:
        """Look up vectors: int64 ids of any shape -> that shape + `(dim,)`.

        Bags of one: on a CPU, forward and backward, twice as fast as a gather.
        """
        ids_N1 = ids.reshape(-1, 1)
        return self.pool(ids_N1, torch.ones_like(ids_N1)).reshape(*ids.shape, self.dim)

    def split(self, size: int) -> list[Callable[[], Tensor]]:
        """Return what makes, when called, the vectors [size, dim] of each `size` ids in turn; the last has the rest.

        The padding id's vector means nothing there.
        """
        ids_V = torch.arange(self.num_ids, device=next(self.parameters()).device)
        return [partial(self, ids_T) for ids_T in torch.split(ids_V, size)]

    def dense(self) -> Tensor:
        """Return every vector as one table [num_ids, dim]: for tests, exports and small catalogues."""
        return self.forward(torch.arange(self.num_ids, device=next(self.parameters()).device))

    @property
    def num_bytes(self) -> int:
        """Bytes at rest: parameters and persistent buffers, floats as fp32, integers as they are."""
        return sum(
            tensor.numel() * (FP32_BYTES if tensor.is_floating_point() else tensor.element_size())
            for tensor in self.state_dict().values()
        )

    @property
    def full_bytes(self) -> int:
        """Bytes of an fp32 full table of the same vocabulary and width."""
        return self.num_ids * self.dim * FP32_BYTES

    @property
    def ratio(self) -> float:
        """How many times smaller than the full table: `full_bytes / num_bytes`."""
        return self.full_bytes / self.num_bytes


def initial_rows(num_rows: int, dim: int) -> nn.Parameter:
    """Return a trainable [num_rows, dim] table, normal with standard deviation dim^-1/2: rows of norm about 1.

    Every technique starts from it, so that a comparison does not measure initial scales.
    """
    return nn.Parameter(torch.randn(num_rows, dim) * dim**-0.5)
