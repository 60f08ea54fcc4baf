"""Export room (floor 4): a learned map as it lies in an artifact, packed. Takes ids -> gives the numbers they map to.

Eight numbers of b bits lie in b bytes, always in the same places: from each byte that a number touches its bits are
kept, and lifted to their place. Without shifts, which some runtimes have not, and without anything above 32 bits, as
others have no more.
"""

from typing import final

import torch
from torch import Tensor
from torch.nn.functional import pad

from memcom_rank.embeddings.id_map import bits_for
from memcom_rank.embeddings.quantise import pack
from memcom_rank.embeddings.tables import Stored


@final
class PackedMap(Stored):
    """Numbers below `size` for each id, packed at ceil(log2 size) bits; used as an `IdMap` is.

    Args:
        codes_VK: the numbers.
        size: what all numbers are below, at most 2^25.
    """

    def __init__(self, codes_VK: Tensor, size: int) -> None:
        super().__init__()
        self.size, self.bits = size, bits_for(size)
        self.num_ids, self.columns = codes_VK.shape
        self.packed: Tensor
        self.register_buffer("packed", pack(codes_VK, self.bits))

    def forward(self, ids: Tensor) -> Tensor:
        """Return the numbers of ids of any shape: int32, that shape + (K,). No more of the map is read."""
        places_N = ids.flatten()
        if self.columns > 1:
            places_N = (places_N[:, None] * self.columns + torch.arange(self.columns)).flatten()
        inside_N = places_N % 8
        first_N = places_N // 8 * self.bits + inside_N * self.bits // 8
        numbers_N = torch.zeros((), dtype=torch.int32)
        for byte, fields in enumerate(self._fields()):
            at_N = first_N if byte == 0 else (first_N + byte).clamp(max=len(self.packed) - 1)
            keep_N, move_N = (field_8.index_select(0, inside_N) for field_8 in fields)
            numbers_N = numbers_N + _moved(self.packed.index_select(0, at_N).int() % keep_N, move_N, byte)
        return numbers_N.view(*ids.shape, self.columns)

    def split(self, size: int, first: int = 0) -> tuple[Tensor, ...]:
        """Return the numbers of ids from `first` on, int32 [T, K] each, `size` ids in turn."""
        return torch.split(self._all()[first:], size)

    def at_rest(self) -> dict[str, Tensor]:
        """Return the packed numbers, uint8."""
        return {"packed": self.packed}

    def _all(self) -> Tensor:
        """Return all numbers, int32 [V, K]."""
        count = self.num_ids * self.columns
        groups = -(-count // 8)
        bytes_GB = pad(self.packed, (0, groups * self.bits - len(self.packed))).view(groups, self.bits).int()
        numbers_G8 = torch.zeros((), dtype=torch.int32)
        for byte, (keep_8, move_8) in enumerate(self._fields()):
            at_8 = torch.tensor([min(place * self.bits // 8 + byte, self.bits - 1) for place in range(8)])
            numbers_G8 = numbers_G8 + _moved(bytes_GB[:, at_8] % keep_8, move_8, byte)
        return numbers_G8.flatten()[:count].view(self.num_ids, self.columns)

    def _fields(self) -> list[tuple[Tensor, Tensor]]:
        """Return, for each byte that a number may touch, what of it to keep, and how far that is moved (`_moved`).

        Both are powers of 2, int32 [8], by the number's place among eight; of a byte that it does not touch nothing is
        kept.
        """
        starts = [place * self.bits % 8 for place in range(8)]  # the bit of its first byte at which a number begins
        fields = []
        for byte in range(-(-(max(starts) + self.bits) // 8)):
            keep_8 = [1 << max(min(8, start + self.bits - 8 * byte), 0) for start in starts]
            move_8 = [1 << abs(8 * byte - start) for start in starts]
            fields.append((torch.tensor(keep_8, dtype=torch.int32), torch.tensor(move_8, dtype=torch.int32)))
        return fields


def _moved(bits: Tensor, move: Tensor, byte: int) -> Tensor:
    """Return bits of a number's first byte moved down, of a later one up."""
    return bits // move if byte == 0 else bits * move
