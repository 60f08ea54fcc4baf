import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import MergeRare


@pytest.mark.parametrize("ratio", [24, 32, 64, 128])
def test_shared_rows_get_their_share_and_popular_games_the_rest(ratio):
    made = MergeRare(5000, 256, target_ratio=ratio)
    popular, shared = made.sizes
    assert 0.995 * made.full_bytes / ratio < made.num_bytes <= made.full_bytes / ratio
    assert shared * 130 / (shared * 130 + popular * 66) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(("num_ids", "dim", "ratio"), [(40983, 64, 128), (40983, 64, 256), (200001, 32, 256)])
def test_a_shared_row_that_would_cost_each_rare_id_a_bit_leaves_nothing_unused(num_ids, dim, ratio):
    made = MergeRare(num_ids, dim, shared_share=0.1, target_ratio=ratio)
    assert made.sizes[1].bit_count() == 1  # the last number of its bits
    assert 0.998 * made.full_bytes / ratio < made.num_bytes <= made.full_bytes / ratio


def test_where_a_row_for_each_game_fits_nobody_shares():
    made = MergeRare(5000, 256, target_ratio=15)
    assert made.sizes == (4998, 1)
    assert made.ratio == pytest.approx(4 * 256 / 66, rel=1e-3)


def test_rare_games_of_the_same_kind_merge_when_it_is_time():
    torch.manual_seed(0)
    made = MergeRare(62, 8, shared_share=0.5, merge_at=0.5, budget_bytes=100)
    table, (popular, shared) = made.table.tables[1], made.sizes
    assert shared >= 3
    with torch.no_grad():
        table.rows_MW[: table.num_rows] = torch.eye(8)[torch.arange(table.num_rows) % 3]
    made.start(torch.arange(60), torch.arange(2, 62))
    made.advance(0.49)
    assert not table.merged
    before = made.dense()
    made.advance(0.5)
    assert table.merged
    after = made.dense()
    assert torch.equal(before[: 1 + popular], after[: 1 + popular])
    torch.testing.assert_close(after[1 + popular :], before[1 + popular :], rtol=0, atol=0.4)  # 4 bits
    assert len(after[1 + popular :].unique(dim=0)) == 3


def test_a_game_counts_as_often_as_it_was_trained_on():
    made = MergeRare(62, 8, shared_share=0.5, budget_bytes=100)
    popular, _ = made.sizes
    made.start(torch.arange(16), torch.full((16,), 61))
    assert made.mass_N[-1] == 8  # 16 to the power of 0.75
    assert (made.mass_N[:-1] < 0.2).all()
    assert len(made.mass_N) == 61 - popular


@pytest.mark.parametrize(("dim", "bits", "share"), [(256, 2, 0.1), (128, 2, 0.1), (127, 4, 0.5), (64, 4, 0.5)])
def test_narrow_rows_get_more_bits_and_more_of_them_are_shared(dim, bits, share):
    knobs = {"bits": bits, "shared_share": share}
    made, chosen = (MergeRare(5000, dim, target_ratio=32, **given) for given in ({}, knobs))
    assert made.sizes == chosen.sizes
    assert made.table.tables[0].bits == bits


@pytest.mark.parametrize("knobs", [{"shared_share": 0}, {"shared_share": 1}, {"merge_at": -0.1}, {"merge_at": 1.1}])
def test_shares_out_of_range_are_refused(knobs):
    with pytest.raises(ConfigError, match="shared_share is"):
        MergeRare(500, 64, target_ratio=16, **knobs)


def test_a_budget_below_a_row_of_each_kind_is_refused():
    with pytest.raises(BudgetError, match="MergeRare with bits: 4 cannot fit"):
        MergeRare(5000, 64, budget_bytes=60)
    with pytest.raises(BudgetError, match="or use NaiveHash"):
        MergeRare(500_000, 64, target_ratio=4000)
