import pytest
import torch

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings import Full, top_k
from memcom_rank.embeddings.top_k import ScanTopK, best_columns
from tests.embeddings.references import best_games


def full(rows) -> Full:
    made = Full(len(rows), len(rows[0]))
    made.load_state_dict({"table.rows_MW": torch.tensor(rows)})
    return made


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize("k", [1, 5, 30])
def test_a_scan_equals_sorting_all_scores_whatever_the_tiles(monkeypatch, size, k):
    torch.manual_seed(0)
    monkeypatch.setattr(top_k, "MAX_SCORES", size * 4)
    embedding, bias_V = Full(23, 3), torch.randn(23).round()
    with torch.no_grad():
        embedding.table.rows_MW.round_()  # whole numbers tie often
    queries_BD, seen_BL = torch.randn(4, 3).round(), torch.randint(0, 23, (4, 6))
    ids_Bk, scores_Bk = ScanTopK(embedding, bias_V)(queries_BD, seen_BL, k)
    wanted_ids_Bk, wanted_Bk = best_games(embedding.score(queries_BD) + bias_V, seen_BL, k)
    assert torch.equal(ids_Bk, wanted_ids_Bk)
    assert torch.equal(scores_Bk, wanted_Bk)


def test_padding_and_the_unknown_game_are_never_found_and_may_be_nan():
    embedding = full([[9.0], [torch.nan], [1.0], [2.0]])
    ids_Bk, scores_Bk = ScanTopK(embedding, None)(torch.ones(1, 1), torch.zeros(1, 0, dtype=torch.int64), 3)
    assert ids_Bk.tolist() == [[3, 2, 0]]
    assert scores_Bk.tolist() == [[2, 1, -torch.inf]]


def test_a_diverged_model_is_refused():
    with pytest.raises(ConfigError, match="diverged"):
        ScanTopK(full([[0.0], [0.0], [1.0], [torch.nan]]), None)(torch.ones(1, 1), torch.zeros(1, 1).long(), 1)


def test_an_index_keeps_the_bias_it_was_built_with_out_of_autograd():
    bias_V = torch.nn.Parameter(torch.zeros(4))
    _, scores_Bk = ScanTopK(full([[0.0], [0.0], [1.0], [2.0]]), bias_V)(torch.ones(1, 1), torch.zeros(1, 1).long(), 1)
    assert not scores_Bk.requires_grad


@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_best_columns_are_the_first_of_a_stable_sort(k):
    scores_BC = torch.tensor(
        [[1.0, 3, 3, 2, 3, 0], [0, 0, 0, 0, 0, 0], [5, 4, 3, 2, 1, 0], [-torch.inf, 1, 1, -torch.inf, 1, 2]]
    )
    wanted_Bk = scores_BC.argsort(dim=1, descending=True, stable=True)[:, :k]
    found_Bk = best_columns(scores_BC, k)
    for row, (found, wanted) in enumerate(zip(found_Bk.tolist(), wanted_Bk.tolist(), strict=True)):
        real = [column for column in wanted if scores_BC[row, column] > -torch.inf]
        assert set(real) <= set(found)
        assert len(set(found)) == k
