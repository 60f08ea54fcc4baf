import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memcom_rank.data import RankingData
from memcom_rank.data.shards import QueryShard, TrainLoader, TrainShard, mix
from tests.data.tiny import two_clusters

SIZES = {"users": st.integers(1, 40), "batch_size": st.integers(1, 9), "world_size": st.integers(1, 5)}


def train_shards(users, batch_size, world_size, *, seed=3, epoch=0):
    rows = torch.arange(users) * 10
    shards = [TrainShard(rows, batch_size, seed=seed, rank=r, world_size=world_size) for r in range(world_size)]
    for shard in shards:
        shard.set_epoch(epoch)
    return rows.tolist(), shards


@given(**SIZES)
def test_ranks_together_take_every_user_once_and_fill_the_last_step(users, batch_size, world_size):
    rows, shards = train_shards(users, batch_size, world_size)
    keys = [list(shard) for shard in shards]
    steps = -(-users // (batch_size * world_size))
    assert {len(own) for own in keys} == {len(shard) for shard in shards} == {steps}
    assert {len(key.rows) for own in keys for key in own} == {batch_size}
    taken = torch.stack([key.rows for step in zip(*keys, strict=True) for key in step]).flatten().tolist()
    assert sorted(taken[:users]) == rows
    surplus = len(taken) - users
    assert taken[users:] == (taken[:users] * (1 + surplus // users))[:surplus]


@given(**SIZES)
def test_every_step_of_every_rank_has_its_own_seed(users, batch_size, world_size):
    seeds = [
        key.seed
        for epoch in (0, 1)
        for shard in train_shards(users, batch_size, world_size, epoch=epoch)[1]
        for key in shard
    ]
    assert len(set(seeds)) == len(seeds)


def order(**changes):
    _, shards = train_shards(50, 8, 2, **changes)
    return [key.rows.tolist() for shard in shards for key in shard]


def test_the_order_follows_from_seed_and_epoch():
    assert order(seed=3, epoch=1) == order(seed=3, epoch=1)
    assert order(seed=3, epoch=0) != order(seed=3, epoch=1)
    assert order(seed=3, epoch=0) != order(seed=4, epoch=0)


@given(**SIZES)
def test_every_position_is_asked_once_on_one_rank(users, batch_size, world_size):
    order = torch.randperm(users, generator=torch.Generator().manual_seed(users))
    shards = [QueryShard(order, batch_size, rank=r, world_size=world_size) for r in range(world_size)]
    keys = [list(shard) for shard in shards]
    assert [len(own) for own in keys] == [len(shard) for shard in shards]
    assert sorted(position for own in keys for key in own for position in key.rows.tolist()) == list(range(users))
    assert all(len(key.rows) <= batch_size for own in keys for key in own)
    assert all(len(own) == 1 or min(len(key.rows) for key in own) >= 1 for own in keys)
    numbers = [sum(len(key.rows) for key in own) for own in keys]
    assert max(numbers) - min(numbers) <= 1


def test_query_shards_do_not_change_with_the_epoch():
    shard = QueryShard(torch.arange(9), 2, rank=1, world_size=2)
    before = [key.rows.tolist() for key in shard]
    shard.set_epoch(5)
    assert [key.rows.tolist() for key in shard] == before == [[1, 3], [5, 7]]


def test_nobody_to_ask_is_one_empty_step():
    shard = QueryShard(torch.arange(1), 2, rank=1, world_size=2)
    assert [key.rows.tolist() for key in shard] == [[]]
    assert len(shard) == 1


def test_mixed_seeds_fill_63_bits_and_mind_the_order():
    seeds = {mix(a, b) for a in range(100) for b in range(100)}
    assert len(seeds) == 10_000
    assert all(0 <= seed < 2**63 for seed in seeds)
    ones = sum(bin(seed).count("1") for seed in seeds) / (63 * 10_000)
    assert abs(ones - 0.5) < 0.005


def loader(folder, **options):
    data = RankingData(str(two_clusters(folder)), batch_size=8, num_negatives=4, **options)
    return data.train_dataloader()


def numbers(batches):
    return [[part.tolist() if isinstance(part, torch.Tensor) else part for part in batch] for batch in batches]


def test_an_epoch_is_taken_up_where_it_was_left(tmp_path):
    whole, first, second = (loader(tmp_path / "data") for _ in range(3))
    wanted = numbers(whole)
    left = iter(first)
    taken = numbers([next(left), next(left)])
    assert first.state_dict() == {"epoch": 0, "steps": 2}
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()  # a checkpoint before the first step loses nothing
    assert len(second) == 5  # of the whole epoch, as Lightning counts
    assert taken + numbers(second) == wanted
    assert second.state_dict() == {"epoch": 0, "steps": 5}
    assert numbers(second) == wanted  # once: the next pass is whole


def test_the_next_epoch_is_whole(tmp_path):
    whole, other = loader(tmp_path / "data"), loader(tmp_path / "data")
    other.load_state_dict({"epoch": 0, "steps": 3})
    for each in (whole, other):
        each.sampler.set_epoch(1)
    assert numbers(other) == numbers(whole)


def test_the_epoch_may_be_set_after_the_iterator_is_made(tmp_path):
    early, late = loader(tmp_path / "data"), loader(tmp_path / "data")
    early.sampler.set_epoch(4)
    batches = iter(late)
    late.sampler.set_epoch(4)
    assert numbers(batches) == numbers(early)


@pytest.mark.slow
def test_workers_change_nothing(tmp_path):
    alone, helped = loader(tmp_path / "data"), loader(tmp_path / "data", num_workers=2)
    assert isinstance(helped, TrainLoader)
    for epoch in (0, 1):
        for each in (alone, helped):
            each.sampler.set_epoch(epoch)
        assert numbers(helped) == numbers(alone)
    helped.load_state_dict({"epoch": 1, "steps": 3})
    batches = iter(helped)
    next(batches)
    assert helped.state_dict() == {"epoch": 1, "steps": 4}  # what was handed out, not what workers hold ready
    assert numbers(batches) == numbers(alone)[4:]
