import pytest
import torch

from memcom_rank.embeddings import block_top_k
from memcom_rank.embeddings.block_top_k import BlockTopK
from memcom_rank.embeddings.top_k import ScanTopK
from memcom_rank.metrics import top_games
from memcom_rank.models import LogSumExpMatch, MixtureMatch, PaperNetwork, PoolMatch, Ranker, finder
from tests.models.references import EMBEDDINGS, HISTORIES, stirred

MATCHES = {"pool": PoolMatch, "log_sum_exp": lambda: LogSumExpMatch(match_dim=4), "mixture": MixtureMatch}


def scorer(embedding, match, bias):
    torch.manual_seed(0)
    if match == "paper":
        return stirred(PaperNetwork(EMBEDDINGS[embedding](), widths=[5], dropout=0.1))
    return stirred(Ranker(EMBEDDINGS[embedding](), MATCHES[match](), game_bias=bias))


@pytest.mark.parametrize("few", [1, 2**14])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("match", [*MATCHES, "paper"])
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_found_are_the_best_of_all_scores(monkeypatch, embedding, match, bias, few):
    monkeypatch.setattr(block_top_k, "_FEW", few)
    made = scorer(embedding, match, bias).eval()
    for k in (1, 4, 30):
        ids_Bk, scores_Bk = finder(made)(HISTORIES, k)
        wanted_ids_Bn, wanted_Bn = top_games(made(HISTORIES), HISTORIES, k + 1)
        assert torch.equal(scores_Bk, wanted_Bn[:, :k])
        untied_B = (wanted_Bn[:, :-1] > wanted_Bn[:, 1:]).all(1)  # ties: any order there, by id here
        assert torch.equal(ids_Bk[untied_B], wanted_ids_Bn[untied_B, :k])


@pytest.mark.parametrize(("embedding", "kind"), [("memcom", BlockTopK), ("full", ScanTopK)])
def test_a_pooled_match_scores_no_whole_catalogue(monkeypatch, embedding, kind):
    monkeypatch.setattr(block_top_k, "_FEW", 1)
    made = scorer(embedding, "pool", True).eval()
    find, used, plain = finder(made), [], kind._search
    monkeypatch.setattr(made, "forward", None)
    monkeypatch.setattr(kind, "_search", lambda self, *args: used.append(kind) or plain(self, *args))
    find(HISTORIES, 3)
    assert used == [kind]
