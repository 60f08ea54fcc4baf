import json
import math
import sys
from collections import Counter

import pytest
import torch

from benchmarks import source_coding
from benchmarks.source_coding import Part, Rans, bounds, counts, entropy_bytes, learned_bytes, parts_of
from memcom_rank.embeddings import Full, LowBit, MEmCom, MergeRare

torch.manual_seed(0)
CODES_MW = torch.randint(4, (7, 33)).clamp(max=torch.randint(1, 4, (33,))).to(torch.uint8)


def test_entropy_and_the_learned_length_are_those_of_a_plain_loop():
    entropy = learned = 0.0
    for row in CODES_MW.tolist():
        for code, count in Counter(row).items():
            entropy -= count * math.log2(count / len(row))
            assert code < 4
        seen = Counter()
        for code in row:  # each code costs what the histogram so far, with half a count for each level, says
            learned -= math.log2((seen[code] + 0.5) / (sum(seen.values()) + 2))
            seen[code] += 1
    assert entropy_bytes(counts(CODES_MW, 2)) == pytest.approx(entropy / 8)
    assert learned_bytes(counts(CODES_MW, 2)) == pytest.approx(learned / 8)


def test_columns_that_know_more_are_cheaper_and_equal_codes_cost_nothing():
    found = bounds([Part("a", torch.tensor([[0, 3]] * 64, dtype=torch.uint8), 2)])
    assert found["bound"] == pytest.approx(128 / 8)
    assert found["by column"] == pytest.approx(0)
    assert 0 < found["learned"] < found["bound"]
    assert "same error" not in found


@pytest.mark.parametrize("bits", [2, 4])
def test_the_same_error_is_reached_with_levels_of_any_number(bits):
    values_MW = torch.randn(50, 64)
    (part,) = parts_of(_full(values_MW), bits)
    now = (part.codes.float() + 0.5 - 2 ** (bits - 1) - part.steps).square().mean()
    found = source_coding.same_error_bytes(part)
    # a normal at this error needs at least log2(variance / error) / 2 bits, and uniform levels at most a quarter more
    least = 0.5 * torch.log2(part.steps.square().mean() / now) * values_MW.numel() / 8
    assert least < found < least + 0.26 * values_MW.numel() / 8


def _full(values_MW):
    embedding = Full(*values_MW.shape)
    embedding.table.rows_MW.data.copy_(values_MW)
    return embedding


def test_codes_are_those_at_rest():
    rare = MergeRare(60, 16, target_ratio=20.0)
    for embedding in (LowBit(40, 16, target_ratio=16.0), rare):
        stored = {name: tensor for name, tensor in embedding.at_rest().items() if tensor.dtype == torch.uint8}
        parts = parts_of(embedding, 8)
        assert sorted(part.packed for part in parts) == sorted(t.numpy().tobytes() for t in stored.values())
        assert all(part.steps is None for part in parts)
    names = [(part.name, part.bits) for part in parts_of(MEmCom(40, 16, target_ratio=4.0), 2)]
    assert names == [("rows", 2), ("scale", 8), ("bias", 8)]


@pytest.mark.parametrize("columns", [False, True])
def test_coded_blocks_decode_to_the_same_codes_in_little_more_than_the_bound(columns):
    pytest.importorskip("constriction", reason="pip install constriction")
    part = Part("a", CODES_MW.repeat(40, 1), 2)
    coded = Rans(part, 100 * 33, columns=columns)
    assert len(coded.blocks) == 3
    assert torch.equal(coded.decode(), part.codes.int())
    bound = entropy_bytes(counts(part.codes.T if columns else part.codes.reshape(1, -1), 2))
    told = (33 if columns else 1) * 4 * 2 + 3 * 2
    assert bound + told < coded.num_bytes < bound * 1.001 + told + 3 * 8


def _run(folder):
    """A run folder with the checkpoint of a classifier that train.py made."""
    settings = {"num_ids": 40, "dim": 16, "embedding": {"class_path": "memcom_rank.embeddings.Full"}}
    weights = {"ranker.embedding.table.rows_MW": torch.randn(40, 16), "ranker.game_bias": torch.zeros(40)}
    checkpoint = {"state_dict": weights, "hyper_parameters": settings}
    (folder / "checkpoints").mkdir()
    torch.save(checkpoint, folder / "checkpoints" / "best.ckpt")
    return folder


def test_every_checkpoint_gets_a_line_per_bits(tmp_path, monkeypatch, capsys):
    for package in ("constriction", "zstandard"):
        pytest.importorskip(package, reason=f"pip install {package}")
    run = _run(tmp_path)
    words = f"source_coding.py {run} {run}/checkpoints/best.ckpt --bits 4 2 --repeats 1 --output {tmp_path}/found.json"
    monkeypatch.setattr(sys, "argv", words.split())
    source_coding.main()
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 2 + 2 * 2
    assert (tmp_path / "found.md").read_text() == printed
    assert [found["packed"] for found in json.loads((tmp_path / "found.json").read_text())["results"]] == [320, 160] * 2
