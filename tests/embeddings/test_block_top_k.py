import pytest
import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings import CompressedEmbedding, Full, MEmCom, NaiveHash, block_top_k
from memcom_rank.embeddings.block_top_k import BlockTopK, top_k_index
from memcom_rank.embeddings.shared_rows import LinearForm, SharedRowEmbedding
from memcom_rank.embeddings.top_k import ScanTopK
from tests.embeddings.references import best_games

NUM_IDS, DIM = 203, 4


class AnyMap(SharedRowEmbedding):
    """Rows by a table of any kind, with rows that nobody uses and rows that most use; at dim 1 a dot is the row."""

    def __init__(self, row_V: Tensor, scale_V: Tensor, rows_MD: Tensor) -> None:
        super().__init__(len(row_V), rows_MD.shape[1])
        self.form, self.rows_MD = LinearForm(row_V, scale_V), torch.nn.Parameter(rows_MD)

    def linear_form(self):
        return self.form

    def project(self, queries_BD):
        return queries_BD @ self.rows_MD.T

    def tiles(self, size):
        parts = zip(self.form.row_V[1:].split(size), self.form.scale_V[1:].split(size), strict=True)
        return [lambda dots_BM, row=row, scale=scale: dots_BM[:, row] * scale for row, scale in parts]

    def _pool(self, ids_BL, weights_BL):
        raise NotImplementedError


def memcom(bias: bool, *, whole: bool) -> MEmCom:
    made = MEmCom(NUM_IDS, DIM, bias=bias, target_ratio=1.5)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter))
            if whole:  # numbers tie often
                parameter.round_()
    return made


def skewed(*, whole: bool) -> AnyMap:
    row_V = (torch.rand(NUM_IDS) ** 4 * 20).int() + 1
    scale_V, rows_MD = torch.randn(NUM_IDS), torch.randn(25, DIM)
    return AnyMap(row_V, scale_V.round() if whole else scale_V, rows_MD.round() if whole else rows_MD)


MAKE = {
    "memcom": lambda whole: memcom(True, whole=whole),
    "memcom without bias": lambda whole: memcom(False, whole=whole),
    "naive hash": lambda whole: NaiveHash(NUM_IDS, DIM, target_ratio=9),
    "any map": lambda whole: skewed(whole=whole),
}
BIASES = {
    "none": lambda: None,
    "normal": lambda: torch.randn(NUM_IDS),
    "whole": lambda: torch.randn(NUM_IDS).round(),
    "popularity": lambda: -torch.arange(1.0, NUM_IDS + 1).log(),
    "never": lambda: torch.zeros(NUM_IDS).masked_fill(torch.rand(NUM_IDS) < 0.5, -torch.inf),
}


def compare(embedding: CompressedEmbedding, bias_V, queries_BD: Tensor, seen_BL: Tensor, k: int) -> None:
    """Equal to the last bit, ties included: the index computes scores as `score` does."""
    index = BlockTopK(embedding, bias_V)
    scores_BV = embedding.score(queries_BD)
    wanted_ids_Bk, wanted_Bk = best_games(scores_BV if bias_V is None else scores_BV + bias_V, seen_BL, k)
    ids_Bk, scores_Bk = index(queries_BD, seen_BL, k)
    assert torch.equal(ids_Bk, wanted_ids_Bk)
    assert torch.equal(scores_Bk, wanted_Bk)


@pytest.mark.parametrize(("block", "many"), [(1, 1), (4, 1), (4, 0), (32, 1 / 8)])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("make", MAKE)
def test_the_best_games_equal_sorting_all_scores(monkeypatch, make, bias, whole, block, many):
    torch.manual_seed(0)
    monkeypatch.setattr(block_top_k, "_MANY", many)
    monkeypatch.setattr(block_top_k, "_BLOCK", block)
    embedding, bias_V = MAKE[make](whole), BIASES[bias]()
    queries_BD = torch.randn(5, DIM)
    queries_BD[0] = 0  # an empty history
    seen_BL = torch.randint(0, NUM_IDS, (5, 9)).masked_fill(torch.rand(5, 9) < 0.3, 0)
    seen_BL[1] = torch.arange(2, 11)
    for k in (1, 7, 300):
        compare(embedding, bias_V, queries_BD.round() if whole else queries_BD, seen_BL, k)


def test_all_games_seen_no_game_seen_and_no_query():
    torch.manual_seed(0)
    embedding = memcom(True, whole=False)
    everything_1L = torch.arange(2, NUM_IDS)[None]
    compare(embedding, None, torch.randn(1, DIM), everything_1L, 3)
    compare(embedding, None, torch.randn(1, DIM), everything_1L[:, :-2], 3)
    compare(embedding, None, torch.randn(2, DIM), torch.zeros(2, 0, dtype=torch.int64), 3)
    compare(embedding, None, torch.randn(0, DIM), torch.zeros(0, 4, dtype=torch.int64), 3)


def test_a_catalogue_of_one_game():
    for make in (MEmCom, NaiveHash):
        compare(make(3, 8, target_ratio=1), None, torch.randn(2, 8), torch.tensor([[0], [2]]), 2)


def test_users_are_taken_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(block_top_k, "MAX_SCORES", 2 * NUM_IDS)
    torch.manual_seed(0)
    compare(memcom(True, whole=False), torch.randn(NUM_IDS), torch.randn(5, DIM), torch.randint(0, NUM_IDS, (5, 4)), 6)


@pytest.mark.parametrize("seed", range(20))
def test_terms_that_cancel_leave_no_game_out(monkeypatch, seed):
    """Scores within the rounding of their terms: a bound that rounds another way would close a block too many."""
    torch.manual_seed(seed)
    monkeypatch.setattr(block_top_k, "_MANY", 1)
    scale_V = 1 + torch.rand(NUM_IDS)
    embedding = AnyMap(torch.arange(NUM_IDS) % 3, scale_V, torch.full((3, 1), 1.1))
    bias_V = -1.1 * scale_V + 1e-7 * torch.randn(NUM_IDS)
    compare(embedding, bias_V, torch.ones(1, 1), torch.zeros(1, 1).long(), 8)


def test_few_games_are_scored(monkeypatch):
    """Among 20,000 games with Zipf's biases the index opens few; that it is right is tested above."""
    torch.manual_seed(0)
    num_ids = 20_000
    embedding = MEmCom(num_ids, 16, target_ratio=6)
    with torch.no_grad():
        embedding.scale.values_N.add_(0.3 * torch.randn(num_ids))
        embedding.bias.values_N.add_(0.02 * torch.randn(num_ids))
    index = BlockTopK(embedding, -torch.arange(1.0, num_ids + 1).log())
    opened = []
    plain = index._open
    monkeypatch.setattr(index, "_open", lambda *args: opened.append(args[2].numel()) or plain(*args))
    index(torch.randn(1, 16), torch.randint(2, num_ids, (1, 10)), 10)
    assert sum(opened) * index._ids_NS.shape[1] < num_ids / 10


def test_every_game_is_in_one_block_of_its_row():
    torch.manual_seed(0)
    for embedding in (memcom(True, whole=False), skewed(whole=False)):
        index = BlockTopK(embedding, None)
        ids_N = index._ids_NS[index._ids_NS > 0]
        assert ids_N.sort().values.tolist() == list(range(2, NUM_IDS))
        row_V = embedding.linear_form().row_V
        assert all((row_V[ids[ids > 0]] == row).all() for ids, row in zip(index._ids_NS, index._row_N, strict=True))
        assert index._first_N.tolist() == sorted(index._first_N.tolist())


def test_bf16_is_compared_as_it_is_scored():
    torch.manual_seed(0)
    embedding = memcom(True, whole=False)
    queries_BD, seen_BL = torch.randn(3, DIM), torch.randint(0, NUM_IDS, (3, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        compare(embedding, torch.randn(NUM_IDS), queries_BD, seen_BL, 9)
    compare(embedding.bfloat16(), None, queries_BD.bfloat16(), seen_BL, 9)


@pytest.mark.parametrize("where", ["query", "scale", "infinite"])
@pytest.mark.parametrize("k", [1, 3])  # with one the NaN itself is what others would have to beat
def test_a_diverged_model_is_refused(where, k):
    torch.manual_seed(0)
    embedding, queries_BD, bias_V = memcom(False, whole=False), torch.randn(2, DIM), torch.zeros(NUM_IDS)
    if where == "query":
        queries_BD[1, 0] = torch.nan
    elif where == "scale":
        embedding.scale.values_N.data[150] = torch.nan
    else:  # an infinite score, and a bias that turns it to NaN; the block's bound is infinite
        embedding.scale.values_N.data[150], bias_V[150] = torch.inf, -torch.inf
        queries_BD[0] = embedding.rows.rows_MW[embedding.linear_form().row_V[150]]
    with pytest.raises(ConfigError, match="diverged"):
        BlockTopK(embedding, bias_V)(queries_BD, torch.zeros(2, 1).long(), k)


@pytest.mark.parametrize("k", [1, 3])
def test_what_is_no_number_of_a_seen_game_is_seen_like_the_rest(k):
    torch.manual_seed(0)
    embedding, queries_BD = memcom(False, whole=False), torch.randn(2, DIM)
    embedding.scale.values_N.data[150] = torch.nan
    seen_BL = torch.full((2, 1), 150)
    for found, wanted in zip(
        BlockTopK(embedding, None)(queries_BD, seen_BL, k),
        ScanTopK(embedding, None)(queries_BD, seen_BL, k),
        strict=True,
    ):
        assert torch.equal(found, wanted)
        assert not found.isnan().any()


def test_large_catalogues_of_shared_rows_have_blocks_and_others_are_scanned(monkeypatch):
    naive = NaiveHash(30, 2, target_ratio=2)
    assert isinstance(top_k_index(naive), ScanTopK)
    monkeypatch.setattr(block_top_k, "_FEW", 29)
    assert isinstance(top_k_index(naive), BlockTopK)
    assert isinstance(top_k_index(Full(30, 2)), ScanTopK)
