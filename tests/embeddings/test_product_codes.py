import torch

from memcom_rank.embeddings import product_codes
from memcom_rank.embeddings.clustering import kmeans
from memcom_rank.embeddings.product_codes import product_quantiser


def points(seed: int = 0) -> torch.Tensor:
    made = torch.randn(400, 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(made, dim=1)


def error(points_ND, codes_NS, words_SKP, weights_N) -> float:
    total = 0.0
    for point, codes, weight in zip(points_ND, codes_NS.tolist(), weights_N.tolist(), strict=True):
        found = torch.cat([words[code] for words, code in zip(words_SKP, codes, strict=True)])
        total += weight * (found - point).square().sum().item()
    return total / weights_N.sum().item()


def test_codes_are_those_of_the_nearest_codewords():
    torch.manual_seed(0)
    points_ND = points()
    codes_NS, words_SKP = product_quantiser(points_ND, torch.ones(400), num_codebooks=4, num_codewords=6)
    for part in range(4):
        distances = torch.cdist(points_ND[:, 2 * part : 2 * part + 2], words_SKP[part])
        assert torch.equal(codes_NS[:, part], distances.argmin(1))


def test_it_is_nearly_as_close_as_kmeans_and_closer_than_drawn_points():
    torch.manual_seed(0)
    points_ND, weights_N = points(), torch.ones(400)
    trained = error(points_ND, *product_quantiser(points_ND, weights_N, num_codebooks=2, num_codewords=16), weights_N)
    parts = [kmeans(part, 16, weights_N) for part in points_ND.view(400, 2, 4).unbind(1)]
    best = error(
        points_ND, torch.stack([c for _, c in parts], 1), torch.stack([words for words, _ in parts]), weights_N
    )
    drawn_SKP = points_ND[:16].view(16, 2, 4).transpose(0, 1)
    drawn_NS = torch.stack([torch.cdist(points_ND.view(400, 2, 4)[:, s], drawn_SKP[s]).argmin(1) for s in (0, 1)], 1)
    assert trained < 1.15 * best < error(points_ND, drawn_NS, drawn_SKP, weights_N)


def test_the_entropy_spreads_codes(monkeypatch):
    # most points lie together: without the entropy, most codewords serve the others
    points_ND = torch.cat([points()[:, :2] * 0.2 + 1.0, points(1)[:40, :2] * 3])

    def perplexity() -> float:
        torch.manual_seed(0)
        codes_NS, _ = product_quantiser(points_ND, torch.ones(440), num_codebooks=1, num_codewords=16)
        shares = torch.bincount(codes_NS[:, 0], minlength=16) / 440
        return (-torch.xlogy(shares, shares).sum()).exp().item()

    spread = perplexity()
    monkeypatch.setattr(product_codes, "_ENTROPY", 0.0)
    assert spread > 1.2 * perplexity()


def test_the_gradient_is_that_of_the_formula_written_out():
    parts_BSP, words_SKP = torch.randn(5, 2, 3).double(), torch.randn(2, 4, 3).double().requires_grad_()
    product_codes._loss(parts_BSP, words_SKP, torch.tensor(0.7)).backward()
    found, words_SKP.grad = words_SKP.grad, None
    losses = []
    for part in range(2):
        used_K = torch.zeros(4).double()
        for point in parts_BSP[:, part]:
            distances_K = torch.stack([(point - word).square().sum() / 0.7 for word in words_SKP[part]])
            soft_K = (-distances_K / product_codes._TEMPERATURE).softmax(0)
            chosen = torch.zeros(4).double()
            chosen[distances_K.argmin()] = 1
            vector = (chosen + soft_K - soft_K.detach()) @ words_SKP[part]
            losses.append((vector - point).square().sum() / 0.7 / 10)
            used_K = used_K + soft_K / 5
        losses.append(product_codes._ENTROPY / 2 * torch.xlogy(used_K, used_K.clamp(min=1e-9)).sum())
    torch.stack(losses).sum().backward()
    torch.testing.assert_close(found, words_SKP.grad, rtol=1e-5, atol=1e-6)


def test_points_that_count_more_are_met_better():
    points_ND = points()
    weights_N = torch.ones(400)
    weights_N[:20] = 200.0

    def error_of_first(weights_N) -> float:
        torch.manual_seed(0)
        codes_NS, words_SKP = product_quantiser(points_ND, weights_N, num_codebooks=2, num_codewords=8)
        return error(points_ND[:20], codes_NS[:20], words_SKP, torch.ones(20))

    assert error_of_first(weights_N) < 0.6 * error_of_first(torch.ones(400))


def test_more_codewords_than_points_and_the_same_seed():
    def made():
        torch.manual_seed(3)
        return product_quantiser(points()[:5], torch.ones(5), num_codebooks=2, num_codewords=7)

    codes_NS, words_SKP = made()
    assert codes_NS.shape == (5, 2)
    assert words_SKP.shape == (2, 7, 4)
    assert error(points()[:5], codes_NS, words_SKP, torch.ones(5)) < 0.05
    assert all(torch.equal(a, b) for a, b in zip(made(), (codes_NS, words_SKP), strict=True))
