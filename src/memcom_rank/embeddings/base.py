"""Embedding room (floor 1): what every technique is, and the counting that no technique does itself.

Takes ids (0 padding, 1 unknown, games from 2 by descending training popularity) -> gives vectors, pooled
histories and scores of the whole catalogue. The padding id is the zero vector and receives no gradient.
"""

import abc
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID
from memcom_rank.embeddings.bag import pool_made
from memcom_rank.embeddings.tables import Stored, Tile

FP32_BYTES = 4


class CompressedEmbedding(nn.Module, abc.ABC):
    """A map from `num_ids` ids to vectors of width `dim`, stored in fewer bytes than a full table.

    A technique implements `_pool`, `project` and `tiles`; one without a structure to use is a `LookupEmbedding`. Its
    numbers lie in parts (`tables.py`). What must be stored is a parameter or a persistent buffer, or lies in a part
    that says so itself (`Stored`); what can be computed again is neither, or a non-persistent buffer.

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
        self.like: Tensor  # of the type and on the device that the technique computes with, also without parameters
        self.register_buffer("like", torch.zeros(()), persistent=False)

    @abc.abstractmethod
    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """Sum vectors over L, each times its weight: int32 ids, weights of the technique's type, 0 at padding."""

    @abc.abstractmethod
    def project(self, queries_BD: Tensor) -> Tensor:
        """Do what is done once for a query, whatever the ids: [B, dim] -> [B, S], e.g. products with shared rows."""

    @abc.abstractmethod
    def tiles(self, size: int) -> list[Tile]:
        """Return what makes of projected queries [B, S] the scores [B, size] of each `size` ids in turn.

        From id 1 on, the last tile has the rest. A tile can be made again, and is the same again. Gradients of all
        tiles together take the time of one pass over the ids.
        """

    def start(self, users_N: Tensor, ids_N: Tensor) -> None:
        """Look at the training games before the first step: the door for techniques that learn what shares what.

        A model that was trained before keeps what it learned, so that a second fit goes on where the first ended.
        Whatever it draws comes from torch's global generator, which every process seeds alike.

        Args:
            users_N, ids_N: int64, user row and id of every training game of a user.
        """

    def advance(self, progress: float) -> bool:
        """Hear how far training has come, after every epoch, before it is validated: for techniques that change form.

        Nothing but the weights decides what comes of it, so that every process does the same. Returns whether weights
        were changed.

        Args:
            progress: share of the run's steps that are done, up to 1; 0 in a run without an end.
        """
        return False

    def score(self, queries_BD: Tensor) -> Tensor:
        """Score every id through the technique's own structure: queries [B, dim] -> [B, num_ids]; column 0 is 0."""
        (whole,) = self.tiles(self.num_ids)
        return pad(whole(self.project(queries_BD)), (1, 0))

    def pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """Sum vectors over L, each times its weight: int64 ids and weights [B, L] -> [B, dim].

        Padding adds nothing, whatever its weight (also infinite or nan), and gets no gradient.
        """
        weights_BL = weights_BL.to(self.like.dtype).masked_fill(ids_BL == PADDING_ID, 0.0)
        return self._pool(ids_BL.int(), weights_BL)  # int32: half the memory traffic of ids

    def forward(self, ids: Tensor) -> Tensor:
        """Look up vectors: int64 ids of any shape -> that shape + `(dim,)`.

        Bags of one: on a CPU, forward and backward, twice as fast as a gather.
        """
        ids_N1 = ids.reshape(-1, 1)
        return self.pool(ids_N1, torch.ones_like(ids_N1)).reshape(*ids.shape, self.dim)

    def _ids(self, size: int) -> tuple[Tensor, ...]:
        """Return the ids of each tile: int32, from 1 on, `size` in turn."""
        return torch.split(torch.arange(1, self.num_ids, dtype=torch.int32, device=self.like.device), size)

    def dense(self) -> Tensor:
        """Return every vector as one table [num_ids, dim]: for tests, exports and small catalogues."""
        return self.forward(torch.arange(self.num_ids, device=self.like.device))

    def at_rest(self) -> dict[str, Tensor]:
        """Return all that must be stored, as it is stored, by name: what an artifact holds and `num_bytes` counts.

        Floats are fp32, unless a part stores itself in fewer bits.
        """
        stored: dict[str, Tensor] = {}
        parts = {name: part for name, part in self.named_modules() if isinstance(part, Stored)}
        for name, tensor in self.state_dict().items():
            if not any(name.startswith(f"{part}.") for part in parts):
                stored[name] = tensor.float() if tensor.is_floating_point() else tensor
        return stored | {
            f"{name}.{key}": tensor for name, part in parts.items() for key, tensor in part.at_rest().items()
        }

    @property
    def num_bytes(self) -> int:
        """Bytes at rest."""
        return sum(tensor.nbytes for tensor in self.at_rest().values())

    @property
    def full_bytes(self) -> int:
        """Bytes of an fp32 full table of the same vocabulary and width."""
        return self.num_ids * self.dim * FP32_BYTES

    @property
    def ratio(self) -> float:
        """How many times smaller than the full table: `full_bytes / num_bytes`."""
        return self.full_bytes / self.num_bytes


class LookupEmbedding(CompressedEmbedding):
    """A technique that makes vectors id by id, with nothing for pooled histories or queries to share.

    It implements `_vectors`. Each distinct id of a batch is made once.
    """

    @abc.abstractmethod
    def _vectors(self, ids_N: Tensor) -> Tensor:
        """Return vectors [N, dim] of int32 ids from 1 to num_ids - 1 (0 may come: its vector is not used)."""

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        return pool_made(self._vectors, ids_BL, weights_BL)

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: nothing."""
        return queries_BD

    def tiles(self, size: int) -> list[Tile]:
        """See the base."""
        return [partial(self._tile, ids_T) for ids_T in self._ids(size)]

    def _tile(self, ids_T: Tensor, queries_BD: Tensor) -> Tensor:
        return queries_BD @ self._vectors(ids_T).T
