"""What all tables promise is in test_tables.py, how AMTL trains this one in test_amtl.py."""

import math

import torch

from memcom_rank.embeddings import Amtl
from memcom_rank.embeddings.prefixes import Prefixes


def test_until_start_buckets_follow_zipfs_law():
    buckets = Prefixes(100, 4, 200).buckets(torch.arange(100)).tolist()
    assert buckets[1:] == [math.floor(math.log2(rank)) for rank in range(1, 100)]


def test_settled_rows_are_the_same_in_a_table_for_each_bucket_that_has_rows():
    torch.manual_seed(0)
    prefixes = Prefixes(90, 8, 300)
    prefixes.bucket(torch.tensor([9, *range(4000, 3955, -1), *range(45, 1, -1)]))
    widths_P, sizes_P = prefixes.widths(), prefixes.sizes()
    settled = prefixes.settled()
    shapes = [(table.num_rows, table.width) for table in settled.parts()]
    assert shapes == [(n, k) for n, k in zip(sizes_P.tolist(), widths_P.tolist(), strict=True) if n]
    assert len(shapes) < len(sizes_P)
    assert torch.equal(settled(), prefixes()[:, : settled.width])
    assert not prefixes()[:, settled.width :].any()
    assert sum(n * k for n, k in shapes) == len(prefixes.at_rest()["values"])


def test_amtl_is_the_same_with_its_table_settled():
    torch.manual_seed(0)
    made, ids_BL = Amtl(60, 8, target_ratio=3), torch.tensor([[3, 0, 40], [1, 59, 3]])
    before = made.dense(), made.score(torch.eye(8)), made.pool(ids_BL, torch.ones(2, 3))
    made.table = made.table.settled()
    torch.testing.assert_close((made.dense(), made.score(torch.eye(8)), made.pool(ids_BL, torch.ones(2, 3))), before)
