import pytest
import torch

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import ResidualMEmCom
from tests.embeddings.test_clustering import owned

PARTS = {"shared": "shared", "popular": "residuals.tables.0", "rare": "residuals.tables.1"}


@pytest.mark.parametrize("ratio", [32, 64])
def test_every_part_gets_its_share(ratio):
    made = ResidualMEmCom(5000, 256, target_ratio=ratio)
    limit = made.full_bytes / ratio
    assert limit - 5000 / 8 - 300 < made.num_bytes <= limit  # a value more for each rare game would not fit
    stored = made.at_rest()
    kept = {part: sum(t.nbytes for name, t in stored.items() if name.startswith(at)) for part, at in PARTS.items()}
    rows = sum(kept.values())
    wanted = {"shared": 0.1, "popular": 0.25, "rare": 0.65}
    assert {part: size / rows for part, size in kept.items()} == pytest.approx(wanted, abs=0.06)  # steps are uneven
    assert made.residuals.tables[1].width < 256


def test_once_the_rare_are_full_games_become_popular():
    made = ResidualMEmCom(5000, 256, target_ratio=12)
    assert made.residuals.tables[1].width == 256
    assert made.residuals.tables[0].num_rows > 0.25 * made.num_bytes / 130 + 100
    assert made.num_bytes > 0.999 * made.full_bytes / 12


def test_games_of_the_same_users_share_a_row():
    sizes = (ResidualMEmCom(17, 32, shared_share=0.4, budget_bytes=b, multiplier=False) for b in range(120, 400))
    made = next(made for made in sizes if made.row_of.size == 3)
    torch.manual_seed(0)
    made.start(*owned())
    rows = made.row_of(torch.arange(2, 17))[:, 0]
    assert [len(set(rows[5 * g : 5 * g + 5].tolist())) for g in range(3)] == [1, 1, 1]
    assert len(set(rows.tolist())) == 3


def test_the_multiplier_starts_at_one_and_vectors_at_norm_one():
    torch.manual_seed(0)
    made = ResidualMEmCom(500, 64, target_ratio=16)
    torch.testing.assert_close(made.scale(), torch.ones(500), rtol=0.02, atol=0)
    assert made.dense()[1:].norm(dim=1).mean().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("shares", [(0, 0.2), (0.2, 0), (0.5, 0.5), (-0.1, 0.2)])
def test_shares_out_of_range_are_refused(shares):
    with pytest.raises(ConfigError, match="shared_share is"):
        ResidualMEmCom(500, 64, shared_share=shares[0], popular_share=shares[1], target_ratio=16)


def test_a_budget_below_a_bit_per_game_is_refused():
    with pytest.raises(BudgetError, match="ResidualMEmCom cannot fit"):
        ResidualMEmCom(5000, 64, target_ratio=200)
