import pytest
import torch

from memcom_rank.embeddings.bag import distinct, pool_made, scores_of_bags, scores_of_rows, weighted_bag


def slow_bag(table_MD, rows_BL, weights_BL):
    sums = []
    for rows_L, weights_L in zip(rows_BL.tolist(), weights_BL, strict=True):
        total = torch.zeros(table_MD.shape[1], dtype=table_MD.dtype)
        for row, weight in zip(rows_L, weights_L, strict=True):
            total = total + weight * table_MD[row]
        sums.append(total)
    return torch.stack(sums)


@pytest.mark.parametrize(("bags", "length", "rows"), [(1, 1, 1), (4, 7, 3), (3, 2, 50), (2, 0, 5)])
@pytest.mark.parametrize("kind", [torch.int32, torch.int64])
@pytest.mark.parametrize("zeros", ["none", "some", "a bag", "all"])
def test_values_and_gradients_equal_a_loop(bags, length, rows, kind, zeros):
    """Also those of weights that are 0: of the places that are left out."""
    generator = torch.Generator().manual_seed(0)
    rows_BL = torch.randint(0, rows, (bags, length), generator=generator, dtype=kind)
    zero_BL = {
        "none": torch.zeros(bags, length, dtype=torch.bool),
        "some": torch.rand(bags, length, generator=generator) < 0.85,
        "a bag": (torch.arange(bags) == 0)[:, None].expand(bags, length),
        "all": torch.ones(bags, length, dtype=torch.bool),
    }[zeros]
    weights_BL = torch.randn(bags, length, generator=generator).masked_fill(zero_BL, 0)
    leaves = [torch.randn(rows, 5, generator=generator), weights_BL]
    grad_BD = torch.randn(bags, 5, generator=generator)
    results = []
    for bag in (weighted_bag, slow_bag):
        table_MD, weights_BL = (leaf.clone().requires_grad_() for leaf in leaves)
        out_BD = bag(table_MD, rows_BL, weights_BL)
        if out_BD.requires_grad:
            out_BD.backward(grad_BD)
        grads = [torch.zeros_like(t) if t.grad is None else t.grad for t in (table_MD, weights_BL)]
        results.append([out_BD.detach(), *grads])
    torch.testing.assert_close(results[0], results[1])


def test_where_most_weights_are_zero_their_places_are_not_read():
    table_MD = torch.tensor([[torch.inf], [2.0]])
    weights_BL = torch.tensor([[0.0, 3.0, 0.0, 0.0, 0.0]])
    assert weighted_bag(table_MD, torch.tensor([[0, 1, 0, 0, 0]]), weights_BL).tolist() == [[6.0]]


def test_only_the_wanted_gradients_are_made():
    table_MD, weights_BL = torch.randn(4, 3, requires_grad=True), torch.ones(2, 2)
    weighted_bag(table_MD, torch.tensor([[0, 3], [3, 3]]), weights_BL).sum().backward()
    assert table_MD.grad.tolist() == [[1.0] * 3, [0.0] * 3, [0.0] * 3, [3.0] * 3]
    frozen = table_MD.detach()
    weights_BL.requires_grad_()
    weighted_bag(frozen, torch.tensor([[0, 3], [3, 3]]), weights_BL).sum().backward()
    torch.testing.assert_close(weights_BL.grad, frozen.sum(dim=1)[torch.tensor([[0, 3], [3, 3]])])


def test_an_expanded_gradient_is_accepted():
    table_MD = torch.randn(4, 3, requires_grad=True)
    weighted_bag(table_MD, torch.tensor([[1, 2]]), torch.ones(1, 2)).backward(torch.ones(1, 1).expand(1, 3))
    assert table_MD.grad[1].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("shape", [(3, 5, 4, 2), (1, 1, 1, 1), (0, 5, 4, 2), (3, 5, 0, 2)], ids=str)
def test_scores_of_bags_are_weighted_sums_of_columns_and_so_are_their_gradients(shape):
    queries, num_rows, bags, length = shape
    leaves = torch.randn(queries, num_rows), torch.randn(bags, length)
    rows_TL, grad_BT = torch.randint(0, num_rows, (bags, length)), torch.randn(queries, bags)
    results = []
    for fast in (True, False):
        dots_BM, weights_TL = (leaf.clone().requires_grad_() for leaf in leaves)
        slow_BT = sum(
            (dots_BM[:, rows_TL[:, place]] * weights_TL[:, place] for place in range(length)),
            torch.zeros(queries, bags),
        )
        scores_BT = scores_of_bags(dots_BM, rows_TL, weights_TL) if fast else slow_BT
        scores_BT.backward(grad_BT)
        results.append([scores_BT.detach(), dots_BM.grad, weights_TL.grad])
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize(
    ("dtype", "autocast", "wanted"),
    [
        (torch.bfloat16, True, torch.float32),
        (torch.bfloat16, False, torch.bfloat16),
        (torch.float32, True, torch.float32),
        (torch.float64, True, torch.float64),
    ],
)
def test_scores_of_rows_are_columns_whose_gradients_autocast_sums_in_fp32(dtype, autocast, wanted):
    dots_BM = torch.randn(3, 2).to(dtype).requires_grad_()
    rows_T = torch.zeros(1000, dtype=torch.int32)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        scores_BT = scores_of_rows(dots_BM, rows_T)
    scores_BT.sum().backward()
    assert scores_BT.dtype == wanted
    assert torch.equal(scores_BT, dots_BM.detach().to(wanted)[:, rows_T.long()])
    if autocast:  # a sum of ones in bf16 stays at 256
        assert dots_BM.grad.tolist() == [[1000, 0]] * 3


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_a_table_of_no_columns_gives_bags_of_no_columns(threads, dtype):
    """The scores of no queries; with several threads torch's own kernel fails."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        table_M0, weights_BL = torch.zeros(5, 0, requires_grad=True), torch.ones(40, 2, requires_grad=True)
        pooled_B0 = weighted_bag(table_M0, torch.arange(80, dtype=dtype).view(40, 2) % 5, weights_BL)
        pooled_B0.sum().backward()
    finally:
        torch.set_num_threads(before)
    assert pooled_B0.shape == (40, 0)
    assert table_M0.grad.shape == (5, 0)
    assert not weights_BL.grad.any()


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [([[7, 0, 7], [2, 2, 9]], [0, 2, 7, 9]), ([[7, 9], [2, 7]], [2, 7, 9]), ([[0], [0]], [0]), ([[], []], [])],
)
def test_distinct_ids_and_their_places_make_the_ids_again(ids, wanted):
    ids_BL = torch.tensor(ids, dtype=torch.int64)
    ids_U, places_BL = distinct(ids_BL)
    assert ids_U.tolist() == wanted
    assert places_BL.dtype == torch.int32
    assert torch.equal(ids_U[places_BL], ids_BL)


def test_under_autocast_the_number_of_distinct_ids_is_one_of_few():
    lengths = []
    for count in range(1, 1000):
        ids = torch.arange(count) + 1
        with torch.autocast("cpu", dtype=torch.bfloat16):
            ids_U, places = distinct(ids)
        assert torch.equal(ids_U[places], ids)
        assert not ids_U[count:].any()
        assert count <= len(ids_U) <= count * 17 / 16
        lengths.append(len(ids_U))
    assert len(set(lengths[512:])) <= 16  # of 513 ids to 999


def test_an_export_takes_ids_as_they_come_for_any_number_of_them():
    class Doubled(torch.nn.Module):
        def forward(self, ids_BL, weights_BL):
            return pool_made(lambda ids_U: 2.0 * ids_U[:, None], ids_BL, weights_BL)

    dynamic = {0: torch.export.Dim("users"), 1: torch.export.Dim("games")}
    example = torch.tensor([[1, 1, 2], [3, 0, 1]]), torch.ones(2, 3)
    exported = torch.export.export(Doubled(), example, dynamic_shapes=(dynamic, dynamic)).module()
    ids_BL, weights_BL = torch.randint(0, 9, (4, 6)), torch.randn(4, 6)
    torch.testing.assert_close(exported(ids_BL, weights_BL), Doubled()(ids_BL, weights_BL))
