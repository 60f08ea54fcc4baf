"""Embedding room (floor 1): a learned map from ids to rows, or to codes, stored in as few bits as its values need.

Takes, for each id, one or more numbers below a size -> gives them back by id. Counted, and packed, at ceil(log2 size)
bits a number: a map that is learned costs bytes, where one that is computed (`hashing.py`) costs none.
"""

import torch
from torch import Tensor

from memcom_rank.embeddings.quantise import pack, packed_bytes
from memcom_rank.embeddings.tables import Stored


class IdMap(Stored):
    """`columns` numbers below `size` for each of `num_ids` ids; until they are set, id mod size.

    Args:
        num_ids: vocabulary V.
        size: what all numbers are below.
        columns: numbers per id, K.
    """

    def __init__(self, num_ids: int, size: int, columns: int = 1) -> None:
        super().__init__()
        self.num_ids, self.size = num_ids, size
        self.columns = columns
        self.codes: Tensor  # [V, K]
        self.register_buffer("codes", self._beginning())

    def _beginning(self) -> Tensor:
        ids_V = torch.arange(self.num_ids, dtype=torch.int32)
        return (ids_V % self.size)[:, None].repeat(1, self.columns)

    def set(self, codes_VK: Tensor) -> None:
        """Take integers [V, K], or [V], from 0 to size - 1."""
        self.codes.copy_(codes_VK.view_as(self.codes))

    @property
    def learned(self) -> bool:
        """Whether other numbers than those of the beginning were set, now or in the run whose weights these are."""
        return not torch.equal(self.codes, self._beginning().to(self.codes.device))

    def forward(self, ids: Tensor) -> Tensor:
        """Return the numbers of ids of any shape: int32, that shape + (K,)."""
        return self.codes[ids]

    def split(self, size: int | list[int], first: int = 0) -> tuple[Tensor, ...]:
        """Return the numbers of ids from `first` on, int32 [T, K] each, `size` as in torch.split."""
        return torch.split(self.codes[first:], size)

    def at_rest(self) -> dict[str, Tensor]:
        """Return the packed numbers, uint8."""
        return {"codes": pack(self.codes, bits_for(self.size))}

    @staticmethod
    def bytes_of(num_ids: int, size: int, columns: int = 1) -> int:
        """Return the bytes at rest of such a map."""
        return packed_bytes(num_ids * columns, bits_for(size))


def bits_for(size: int) -> int:
    """Return the bits that a number from 0 to size - 1 needs, at least 1."""
    return max((size - 1).bit_length(), 1)
