import math

import pytest
import torch

from memcom_rank.contract.errors import ConfigError
from memcom_rank.models import PaperNetwork
from tests.models.references import DIM, EMBEDDINGS, HISTORIES, NUM_IDS, dot, stirred

WIDTHS = {"none": [], "one": [5], "two": [7, 4]}


@pytest.fixture(params=[(e, w) for e in EMBEDDINGS for w in WIDTHS], ids=str)
def network(request):
    embedding, widths = request.param
    torch.manual_seed(0)
    made = stirred(PaperNetwork(EMBEDDINGS[embedding](), widths=WIDTHS[widths], dropout=0.5))
    for norm in norms(made):  # statistics of their own, as after training
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    return made


def norms(network):
    return [layer for layer in network.blocks if isinstance(layer, torch.nn.BatchNorm1d)]


def slow_scores(network):
    """The paper's layers for one user at a time, on lists."""
    table, scores = network.embedding.dense().tolist(), []
    linear = [layer for layer in network.blocks if isinstance(layer, torch.nn.Linear)]
    for own in HISTORIES.tolist():
        games = [game for game in own if game]
        values = [sum(table[game][d] for game in games) / max(len(games), 1) for d in range(DIM)]
        values = normalised(values, norms(network)[0])
        for dense, norm in zip(linear, norms(network)[1:], strict=True):
            values = normalised(layer(dense, values), norm)
        scores.append(layer(network.output, values))
    return torch.tensor(scores)


def layer(dense, values):
    return [dot(row, values) + bias for row, bias in zip(dense.weight.tolist(), dense.bias.tolist(), strict=True)]


def normalised(values, norm):
    facts = zip(*(x.tolist() for x in (norm.running_mean, norm.running_var, norm.weight, norm.bias)), strict=True)
    return [
        (max(value, 0) - mean) / math.sqrt(variance + norm.eps) * weight + bias
        for value, (mean, variance, weight, bias) in zip(values, facts, strict=True)
    ]


def test_scores_equal_a_loop_over_users_and_layers(network):
    torch.testing.assert_close(network(HISTORIES), slow_scores(network), rtol=1e-4, atol=1e-5)


def test_order_and_padding_of_a_history_do_not_matter(network):
    moved = torch.nn.functional.pad(HISTORIES.flip(1), (2, 3))
    torch.testing.assert_close(network(moved), network(HISTORIES))


def test_training_normalises_over_the_histories_and_reaches_every_parameter(network):
    network.train()
    for layer in network.blocks:
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    first = network.blocks[:2](network.embedding.pool(HISTORIES, torch.ones(HISTORIES.shape)))
    norm = norms(network)[0]
    torch.testing.assert_close(first.mean(0), norm.bias)
    network(HISTORIES)[:, 2:].square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_dropout_is_for_training(network):
    assert torch.equal(network(HISTORIES), network(HISTORIES))
    network.train()
    assert not torch.equal(network(HISTORIES), network(HISTORIES))


def test_bytes_of_the_whole_network_by_hand():
    network = PaperNetwork(EMBEDDINGS["full"](), widths=[5], dropout=0.1)
    norm = 4 * 4  # weight, bias, mean, variance of each value, and an int64 that counts batches
    dense = 4 * (DIM * 5 + 5) + 4 * (5 * NUM_IDS + NUM_IDS)
    assert network.num_bytes == 4 * NUM_IDS * DIM + norm * DIM + 8 + norm * 5 + 8 + dense


def test_other_outputs_change_the_last_layer_alone():
    torch.manual_seed(0)
    games = PaperNetwork(EMBEDDINGS["full"](), widths=[5], dropout=0.1)
    torch.manual_seed(0)
    labels = PaperNetwork(EMBEDDINGS["full"](), widths=[5], dropout=0.1, num_outputs=3)
    assert labels(HISTORIES).shape == (len(HISTORIES), 3)
    other = [name for name, value in games.state_dict().items() if value.shape != labels.state_dict()[name].shape]
    assert other == ["output.weight", "output.bias"]


def test_the_output_layer_is_not_compressed():
    full, small = (PaperNetwork(EMBEDDINGS[name](), widths=[5], dropout=0.1) for name in ("full", "memcom"))
    assert full.num_bytes - small.num_bytes == full.embedding.num_bytes - small.embedding.num_bytes


def test_bf16_autocast_is_close(network):
    exact = network(HISTORIES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(network(HISTORIES).float(), exact, rtol=0.05, atol=0.1)


def test_a_width_below_one_is_named():
    with pytest.raises(ConfigError, match=r"widths is \[4, 0\]"):
        PaperNetwork(EMBEDDINGS["full"](), widths=[4, 0], dropout=0.1)
