"""Data room (floor 2): which rows come in which step on which rank, and how an epoch is taken up again.

Both samplers yield a `BatchKey` a step and derive from DistributedSampler only so that Lightning recognises them as
already sharded and calls `set_epoch`; DataLoader workers share out the keys of their rank.
"""

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, DistributedSampler

from memcom_rank.data.batches import BatchKey

_MASK = (1 << 63) - 1


class TrainShard(DistributedSampler[BatchKey]):
    """Shuffled training rows: disjoint over ranks, every rank with the same number of steps.

    Where the rows do not fill the last step of every rank, it is filled up with the first rows of the epoch.

    `first_step` is where the next epoch begins; not 0 only for a run that is taken up again.

    Args:
        rows: int64 [N], user rows to train on.
        batch_size: rows per rank and step.
        seed: the run's seed; order and random choices follow from (seed, epoch, step, rank) alone.
        rank: this process; world_size: number of processes.
    """

    def __init__(self, rows: Tensor, batch_size: int, *, seed: int, rank: int, world_size: int) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.rank, self.world_size, self.epoch, self.first_step = rank, world_size, 0, 0

    def __len__(self) -> int:
        return -(-len(self.rows) // (self.batch_size * self.world_size))

    def __iter__(self) -> Iterator[BatchKey]:
        order = torch.randperm(len(self.rows), generator=Generator().manual_seed(mix(self.seed, self.epoch)))
        together = self.batch_size * self.world_size
        for step in range(self.first_step, len(self)):
            first = step * together + self.rank * self.batch_size
            places = torch.arange(first, first + self.batch_size) % len(self.rows)
            yield BatchKey(self.rows[order[places]], mix(self.seed, self.epoch, step, self.rank))


class QueryShard(DistributedSampler[BatchKey]):
    """Evaluation positions in a given order: every position once, on one rank; ranks may differ in length.

    A rank without positions has one empty step: without any, it would leave out the hooks in which all ranks meet.

    Args:
        order: int64 [N], all positions.
        batch_size: positions per step.
        rank: this process; world_size: number of processes.
    """

    def __init__(self, order: Tensor, batch_size: int, *, rank: int, world_size: int) -> None:
        self.mine, self.batch_size = order[rank::world_size], batch_size

    def __len__(self) -> int:
        return max(-(-len(self.mine) // self.batch_size), 1)

    def __iter__(self) -> Iterator[BatchKey]:
        for positions in torch.split(self.mine, self.batch_size):
            yield BatchKey(positions, 0)

    def set_epoch(self, epoch: int) -> None:
        """Evaluation has no epochs: the order is always the same."""


class TrainLoader(DataLoader[Any]):
    """A loader of a `TrainShard`, of `TrainBatch` or `LabelBatch`, that can be taken up inside an epoch.

    Lightning saves `state_dict` with every checkpoint and restores it before the first batch. Steps are counted as they
    are handed out, whatever workers have prepared ahead. Nothing is prepared before the first batch is asked for:
    Lightning makes the first iterator before it sets the epoch.
    """

    _resume = _taken = (0, 0)  # epoch, steps of it: to begin after, handed out

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        shard = cast(TrainShard, self.sampler)
        epoch, steps = self._resume
        shard.first_step = steps if epoch == shard.epoch else 0
        self._resume = (0, 0)
        for step, batch in enumerate(super().__iter__(), shard.first_step + 1):
            self._taken = (shard.epoch, step)
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return how far this epoch has come."""
        return dict(zip(("epoch", "steps"), self._taken, strict=True))

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let that epoch, and only that, begin after the steps taken."""
        self._resume = self._taken = (state["epoch"], state["steps"])


def mix(*parts: int) -> int:
    """Return one 63-bit seed from several numbers (splitmix64 steps), so that neighbours give unrelated streams."""
    state = 0
    for part in parts:
        state = (state + part + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state & _MASK
