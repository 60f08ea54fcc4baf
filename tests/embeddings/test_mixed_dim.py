import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import LowRank, MixedDim


def ranks(mixed: MixedDim) -> list[int]:
    return [torch.linalg.matrix_rank(part.double(), tol=1e-4).item() for part in blocks(mixed)]


def blocks(mixed: MixedDim) -> tuple[torch.Tensor, ...]:
    return mixed.dense()[1:].split([table.num_rows for table in mixed.tables])


def test_width_falls_with_popularity_and_blocks_grow():
    mixed = MixedDim(10_001, 32, target_ratio=4)
    assert [table.num_rows for table in mixed.tables] == [10, 90, 900, 9000]
    assert mixed.widths == sorted(mixed.widths, reverse=True)
    assert ranks(mixed)[1:] == mixed.widths[1:]
    assert mixed.widths[0] == 32 > mixed.widths[-2] > mixed.widths[-1]


def test_widths_follow_the_power_law():
    mixed = MixedDim(10**6 + 1, 256, temperature=0.3, num_blocks=3, target_ratio=20)
    sizes = [table.num_rows for table in mixed.tables]
    for (n, width), (next_n, next_width) in zip(
        zip(sizes[1:], mixed.widths[1:], strict=True), zip(sizes[2:], mixed.widths[2:], strict=True), strict=False
    ):
        assert abs(width - next_width * (next_n / n) ** 0.3) < (next_n / n) ** 0.3 + 1


def test_a_block_with_few_ids_has_rows_of_its_own_instead_of_narrow_ones_and_a_projection():
    mixed = MixedDim(10_001, 32, target_ratio=8)
    own = [str(f) not in mixed.widen for f in range(4)]
    assert own == [n * 32 <= d * (n + 32) for n, d in zip([10, 90, 900, 9000], mixed.widths, strict=True)]
    assert own[0]
    assert not own[3]


def test_one_block_is_low_rank():
    mixed, low_rank = MixedDim(500, 16, num_blocks=1, target_ratio=4), LowRank(500, 16, target_ratio=4)
    assert mixed.widths == [low_rank.rank]
    assert mixed.num_bytes == low_rank.num_bytes - 4 * low_rank.rank  # LowRank keeps a row for padding


def test_at_temperature_0_all_widths_are_the_same():
    mixed = MixedDim(10_001, 32, temperature=0.0, target_ratio=4)
    assert len(set(mixed.widths[1:])) == 1


def test_a_large_budget_gives_every_id_a_whole_row():
    assert MixedDim(300, 16, budget_bytes="1MB").widths == [16] * 4


def test_small_vocabularies_have_fewer_blocks():
    assert len(MixedDim(3, 8, target_ratio=1).tables) == 2


@pytest.mark.parametrize("knobs", [{"num_blocks": 0}, {"temperature": -0.1}, {"temperature": 1.5}])
def test_knobs_out_of_range_are_refused(knobs):
    with pytest.raises(ConfigError, match="at least one block and a temperature from 0 to 1"):
        MixedDim(100, 8, target_ratio=2, **knobs)


def test_the_ratio_ceiling():
    with pytest.raises(BudgetError, match="use Truncated, or use Auto, or use NaiveHash"):
        MixedDim(1000, 16, target_ratio=16)
