from functools import partial

import pytest
import torch
from torch.nn.functional import pad

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings import MixedPrecision
from memcom_rank.losses.softmax import softmax_loss, tiled_softmax_loss


def test_popular_ids_are_exact_and_the_rest_is_what_is_stored():
    torch.manual_seed(0)
    made = MixedPrecision(100, 16, bits=2, target_ratio=6).eval()
    num_popular = made.num_rows
    assert 0 < num_popular < 98
    assert torch.equal(made(torch.arange(1, num_popular + 1)), made.table.tables[0]())
    for row_D in made(torch.arange(num_popular + 1, 100)):
        assert len(row_D.unique()) <= 4
    assert torch.equal(made.dense(), made.dense())


@pytest.mark.parametrize("side", ["pool", "score"])
def test_training_rounds_at_random_and_right_on_average(side):
    torch.manual_seed(0)
    made = MixedPrecision(20, 8, bits=4, target_ratio=3)
    with torch.no_grad():
        made.table.tables[1].rows_MW.clamp_(-0.7, 0.7)  # inside the levels, whose ends have one neighbour
    exact_VD = torch.cat([torch.zeros(1, 8), made.table.tables[0](), made.table.tables[1].rows_MW])
    draws = [made.dense() if side == "pool" else made.score(torch.eye(8)).T for _ in range(400)]
    assert not torch.equal(draws[0], draws[1])
    torch.testing.assert_close(torch.stack(draws).mean(0), exact_VD, rtol=0, atol=0.03)


def test_a_loss_in_tiles_that_are_made_again_equals_that_of_tiles_made_once():
    torch.manual_seed(0)
    made, queries_BD = MixedPrecision(20, 8, bits=2, target_ratio=5), torch.randn(3, 8, requires_grad=True)
    ids_BL, weights_B = torch.tensor([[2, 9], [14, 0], [19, 3]]), torch.ones(3)
    tiles = made.tiles(7)
    scores_BV = pad(torch.cat([tile(queries_BD) for tile in tiles], 1), (1, 0))
    once = softmax_loss(scores_BV, ids_BL, ids_BL, weights_B)
    again = {first: partial(tile, queries_BD) for first, tile in zip(range(1, 20, 7), tiles, strict=True)}
    loss = tiled_softmax_loss(again, ids_BL, ids_BL, weights_B)
    torch.testing.assert_close(loss, once)
    found, wanted = (torch.autograd.grad(value, [queries_BD, *made.parameters()]) for value in (loss, once))
    torch.testing.assert_close(found, wanted)


def test_the_same_seed_rounds_alike():
    made = MixedPrecision(20, 8, bits=4, target_ratio=3)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(made.dense())
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_training_under_bf16_autocast_is_finite():
    made = MixedPrecision(20, 8, bits=4, target_ratio=3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled_BD = made.pool(torch.tensor([[2, 9], [14, 0]]), torch.ones(2, 2))
        made.score(pooled_BD).square().mean().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in made.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile warns at itself
def test_a_compiled_graph_rounds_as_eager_training_does():
    made = MixedPrecision(20, 8, bits=4, target_ratio=3)
    ids_N = torch.arange(20)
    compiled = torch.compile(made, fullgraph=True, backend="aot_eager")
    found = []
    for module in (made, compiled):
        torch.manual_seed(1)
        vectors_ND = module(ids_N)
        found.append((vectors_ND, *torch.autograd.grad(vectors_ND.square().sum(), made.parameters())))
    assert not torch.equal(found[0][0], made.eval()(ids_N))
    torch.testing.assert_close(found[1], found[0])


@pytest.mark.parametrize(("bits", "ceiling"), [(8, 3.87), (4, 7.52), (1, 25.6)])
def test_the_ratio_ceiling(bits, ceiling):
    made = MixedPrecision(100_000, 64, bits=bits, target_ratio=ceiling * 0.99)
    assert made.ratio >= ceiling * 0.99
    with pytest.raises(BudgetError, match=rf"MixedPrecision with bits: {bits}(.|\n)*Auto"):
        MixedPrecision(100_000, 64, bits=bits, target_ratio=ceiling * 1.01)


def test_too_small_a_budget_names_fewer_bits():
    with pytest.raises(BudgetError, match=r"at this width its largest ratio is 7\.5(.|\n)*bits: 1"):
        MixedPrecision(100_000, 64, target_ratio=16)


def test_a_larger_budget_than_needed_leaves_one_row_in_few_bits():
    assert MixedPrecision(10, 8, budget_bytes="1MB").num_rows == 8


def test_other_bits_are_refused():
    with pytest.raises(ConfigError, match="bits is 5"):
        MixedPrecision(100, 8, bits=5, target_ratio=2)
