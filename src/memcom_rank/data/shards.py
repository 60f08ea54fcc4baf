"""Data room (floor 2): which rows come in which step on which rank.

Both samplers yield a `BatchKey` a step and derive from DistributedSampler only so that Lightning recognises them as
already sharded and calls `set_epoch`; DataLoader workers share out the keys of their rank.
"""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.utils.data import DistributedSampler

from memcom_rank.data.batches import BatchKey

_MASK = (1 << 63) - 1


class TrainShard(DistributedSampler[BatchKey]):
    """Shuffled training rows: disjoint over ranks, every rank with the same number of steps.

    Where the rows do not fill the last step of every rank, it is filled up with the first rows of the epoch.

    Args:
        rows: int64 [N], user rows to train on.
        batch_size: rows per rank and step.
        seed: the run's seed; order and random choices follow from (seed, epoch, step, rank) alone.
        rank: this process; world_size: number of processes.
    """

    def __init__(self, rows: Tensor, batch_size: int, *, seed: int, rank: int, world_size: int) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.rank, self.world_size, self.epoch = rank, world_size, 0

    def __len__(self) -> int:
        return -(-len(self.rows) // (self.batch_size * self.world_size))

    def __iter__(self) -> Iterator[BatchKey]:
        order = torch.randperm(len(self.rows), generator=Generator().manual_seed(mix(self.seed, self.epoch)))
        together = self.batch_size * self.world_size
        for step in range(len(self)):
            first = step * together + self.rank * self.batch_size
            places = torch.arange(first, first + self.batch_size) % len(self.rows)
            yield BatchKey(self.rows[order[places]], mix(self.seed, self.epoch, step, self.rank))


class QueryShard(DistributedSampler[BatchKey]):
    """Evaluation positions in a given order: every position once, on one rank; ranks may differ in length.

    Args:
        order: int64 [N], all positions.
        batch_size: positions per step.
        rank: this process; world_size: number of processes.
    """

    def __init__(self, order: Tensor, batch_size: int, *, rank: int, world_size: int) -> None:
        self.mine, self.batch_size = order[rank::world_size], batch_size

    def __len__(self) -> int:
        return -(-len(self.mine) // self.batch_size)

    def __iter__(self) -> Iterator[BatchKey]:
        for positions in self.mine.split(self.batch_size) if len(self.mine) else ():
            yield BatchKey(positions, 0)

    def set_epoch(self, epoch: int) -> None:
        """Evaluation has no epochs: the order is always the same."""


def mix(*parts: int) -> int:
    """Return one 63-bit seed from several numbers (splitmix64 steps), so that neighbours give unrelated streams."""
    state = 0
    for part in parts:
        state = (state + part + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state & _MASK
