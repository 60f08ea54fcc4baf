import math

import pytest
import torch

from memcom_rank.contract.errors import BudgetError
from memcom_rank.embeddings import Amtl


def interactions(counts: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """A game of each count, from id 2 on, each user with one game."""
    ids_N = torch.repeat_interleave(torch.arange(2, 2 + len(counts)), torch.tensor(counts))
    return torch.arange(len(ids_N)), ids_N


def test_buckets_are_halvings_of_the_training_count():
    counts = sorted([*range(1, 40), 100, 1000], reverse=True)
    made = Amtl(43, 8, target_ratio=2)
    made.start(*interactions(counts))
    buckets = made.table.buckets(torch.arange(42)).tolist()
    assert buckets[0] == buckets[1]  # the unknown id is with the most popular game
    top = math.floor(math.log2(1000))
    assert buckets[1:] == [top - math.floor(math.log2(count)) for count in counts]


@pytest.mark.parametrize("ratio", [1.5, 4, 7.2])
def test_the_budget_holds_and_is_spent_at_every_step(ratio):
    torch.manual_seed(0)
    made = Amtl(500, 8, target_ratio=ratio)
    made.start(*interactions([1 + 3000 // rank for rank in range(1, 499)]))
    optimizer = torch.optim.Adam(made.parameters(), lr=0.1)
    seen = set()
    for _ in range(6):
        widths_P, sizes_P = made.table.widths(), made.table.sizes()
        assert ((widths_P >= 1) & (widths_P <= 8)).all()
        assert made.num_bytes <= 500 * 8 * 4 / ratio
        narrow_P = sizes_P[(widths_P < 8) & (sizes_P > 0)]
        assert made.table.num_values - made.num_unmasked < min(narrow_P.tolist(), default=math.inf)
        seen.add(tuple(widths_P.tolist()))
        optimizer.zero_grad()
        (made(torch.arange(1, 500)) * torch.randn(499, 8)).sum().backward()
        optimizer.step()
    assert len(seen) > 1


def test_training_widens_what_gains_by_it():
    torch.manual_seed(0)
    made = Amtl(130, 8, target_ratio=2.5)
    rare = made.table.buckets(torch.arange(129)) >= 6
    wanted_VD = torch.randn(129, 8) * torch.where(rare, 3.0, 0.1)[:, None]
    with torch.no_grad():
        made.table.rows_MW.copy_(wanted_VD / 2)  # right at a width of 2
    optimizer = torch.optim.Adam(made.table.networks.parameters(), lr=0.02)
    before = made.table.widths()[6]
    for _ in range(60):
        optimizer.zero_grad()
        (made(torch.arange(1, 130)) - wanted_VD).square().sum().backward()
        optimizer.step()
    assert made.table.widths()[6] > before


def test_what_is_stored_makes_every_vector_again():
    torch.manual_seed(0)
    made = Amtl(60, 8, target_ratio=2)
    made.start(*interactions([1 + 300 // rank for rank in range(1, 59)]))
    stored = made.at_rest()
    assert set(stored) == {"table.values", "table.ends", "table.widths"}
    values = stored["table.values"].tolist()
    ends, widths = stored["table.ends"].tolist(), stored["table.widths"].tolist()
    for row in range(59):
        width = widths[next(bucket for bucket, end in enumerate(ends) if row < end)]
        vector, values = values[:width] + [0.0] * (8 - width), values[width:]
        torch.testing.assert_close(made(torch.tensor(row + 1)), torch.tensor(vector))
    assert not values


def test_a_ratio_above_the_width_is_refused():
    with pytest.raises(BudgetError, match=r"Amtl cannot fit(.|\n)*Auto"):
        Amtl(1000, 8, target_ratio=8)


def test_more_bytes_than_the_table_leave_it_whole():
    made = Amtl(50, 8, budget_bytes="1MB")
    assert made.num_unmasked == 49 * 8
