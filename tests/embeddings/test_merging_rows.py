"""What all tables promise is in test_tables.py; here how rows become few."""

import pytest
import torch

from memcom_rank.embeddings.merging_rows import MergingRows
from memcom_rank.embeddings.quantise import rounded

N, W, M = 12, 4, 3


@pytest.fixture
def table():
    """Rows of three kinds, in turn, far from one another."""
    torch.manual_seed(0)
    made = MergingRows(N, W, M, bits=8)
    with torch.no_grad():
        kinds_MW = torch.tensor([[1.0, 1, -1, -1], [-1, 1, 1, -1], [1, -1, 1, -1]])
        made.rows_MW[:N] = kinds_MW.repeat(N // M, 1) + 0.01 * torch.randn(N, W)
    return made


def own(table):
    return table.rows_MW.detach()[:N].clone()


def test_rows_are_the_games_own_in_training_and_shared_in_evaluation(table):
    table.cluster(torch.ones(N), merge=False)
    assert torch.equal(table(), own(table))
    means_NW = own(table).view(N // M, M, W).mean(0).repeat(N // M, 1)
    torch.testing.assert_close(table.eval()(), means_NW, rtol=0, atol=0.04)  # 8 bits
    assert len(table().unique(dim=0)) == M


def test_heavy_rows_draw_the_centre(table):
    weights_N = torch.ones(N)
    weights_N[0] = 1e6
    table.cluster(weights_N, merge=False)
    torch.testing.assert_close(table.eval()()[3], rounded(own(table)[:1], 8)[0], rtol=0, atol=1e-3)


def test_training_goes_on_with_shared_rows_once_they_have_merged(table):
    assert table.cluster(torch.ones(N), merge=True)
    shared = table()
    assert torch.equal(shared, table.eval()())
    table.train()().sum().backward()
    assert not table.rows_MW.grad[:N].any()
    assert (table.rows_MW.grad[N:] == N // M).all()
    assert not table.cluster(torch.ones(N), merge=False)  # it is done
    assert torch.equal(table(), shared)


def test_before_they_merge_the_shared_rows_learn_nothing(table):
    table().sum().backward()
    assert not table.rows_MW.grad[N:].any()


def test_every_process_finds_the_same_whatever_it_has_drawn(table):
    found = []
    for seed in range(2):
        torch.manual_seed(seed)
        table.cluster(torch.ones(N), merge=False)
        found.append([table.rows_MW.detach().clone(), table.row_of.codes.clone()])
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


@pytest.mark.parametrize("merged", [False, True])
def test_a_checkpoint_knows_whether_they_have_merged(table, merged):
    table.cluster(torch.ones(N), merge=merged)
    other = MergingRows(N, W, M, bits=8)
    other.load_state_dict(table.state_dict())
    assert other.merged is merged
    assert torch.equal(other(), table())


def test_what_is_stored_is_the_shared_rows_and_the_map(table):
    table.cluster(torch.ones(N), merge=False)
    stored = [*table.at_rest().values(), *table.row_of.at_rest().values()]
    assert sum(part.nbytes for part in stored) == MergingRows.bytes_of(N, W, M, 8) == M * W + 2 * M + N * 2 // 8
    settled = table.eval().settled()
    assert torch.equal(settled(), table())
    assert settled.rows.num_rows == M
