import json
import math
import sys
from collections import Counter

import pytest
import torch

from benchmarks import source_coding
from benchmarks.source_coding import Part, Rans, bounds, counts, entropy_bytes, learned_bytes, parts_of
from memcom_rank.embeddings import LowBit, MEmCom, MergeRare

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


def test_a_neighbour_is_the_most_similar_of_the_earlier_rows():
    codes_MW = torch.randint(4, (600, 5))
    found_M = source_coding.neighbours(codes_MW, 2)
    levels_MW = codes_MW - 1.5
    assert found_M[0] == 0
    for row in range(1, 600):
        earlier = torch.nn.functional.cosine_similarity(levels_MW[row], levels_MW[:row])
        assert found_M[row] < row
        assert earlier[found_M[row]] == pytest.approx(float(earlier.max()), abs=1e-6)


def test_of_a_row_that_comes_again_only_the_place_is_left():
    row_W = torch.randint(4, (64,), dtype=torch.uint8)
    left = source_coding.differences(Part("a", row_W.repeat(3, 1), 2))
    assert left[:16] == Part("a", row_W[None], 2).packed
    assert left[16:48] == bytes(32)
    assert len(left) == 16 * 3 + 1  # 2 bits for each of 3 places


def test_codes_are_those_at_rest():
    rare = MergeRare(60, 16, target_ratio=20.0)
    for embedding in (LowBit(40, 16, target_ratio=16.0), rare):
        stored = {name: tensor for name, tensor in embedding.at_rest().items() if tensor.dtype == torch.uint8}
        parts = parts_of(embedding, 8)
        assert sorted(part.packed for part in parts) == sorted(t.numpy().tobytes() for t in stored.values())
    names = [(part.name, part.bits) for part in parts_of(MEmCom(40, 16, target_ratio=4.0), 2)]
    assert names == [("rows", 2), ("scale", 8), ("bias", 8)]


def test_coded_blocks_decode_to_the_same_codes_in_little_more_than_the_bound():
    part = Part("a", CODES_MW.repeat(40, 1), 2)
    coded = Rans(part, 100 * 33)
    assert len(coded.blocks) == 3
    assert torch.equal(coded.decode(), part.codes.int())
    bound, told = bounds([part])["bound"], 4 * 2 + 3 * 2
    assert bound + told < coded.num_bytes < bound * 1.001 + told + 3 * 8


@pytest.mark.parametrize("bits", [2, 8])
def test_rows_that_come_again_cost_their_place_and_little_more(bits):
    new_MW = torch.randint(1 << bits, (5, 200)).to(torch.uint8)
    part = Part("a", new_MW.repeat(50, 1), bits)
    plain, coded = Rans(part, 5000), Rans(part, 5000, near=True)
    assert torch.equal(coded.decode(), part.codes.int())
    assert torch.equal(plain.decode(), part.codes.int())
    assert coded.num_bytes < plain.num_bytes * (0.2 if bits == 2 else 0.8)  # of 8 bits the neighbour tells 4


def _run(folder):
    """A run folder with the checkpoint of a classifier that train.py made."""
    settings = {"num_ids": 40, "dim": 16, "embedding": {"class_path": "memcom_rank.embeddings.Full"}}
    weights = {"ranker.embedding.table.rows_MW": torch.randn(40, 16), "ranker.game_bias": torch.zeros(40)}
    checkpoint = {"state_dict": weights, "hyper_parameters": settings}
    (folder / "checkpoints").mkdir()
    torch.save(checkpoint, folder / "checkpoints" / "best.ckpt")
    return folder


def test_every_checkpoint_gets_a_line_per_bits(tmp_path, monkeypatch, capsys):
    run = _run(tmp_path)
    words = f"source_coding.py {run} {run}/checkpoints/best.ckpt --bits 4 2 --repeats 1 --output {tmp_path}/found.json"
    monkeypatch.setattr(sys, "argv", words.split())
    source_coding.main()
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 2 + 2 * 2
    assert (tmp_path / "found.md").read_text() == printed
    assert [found["packed"] for found in json.loads((tmp_path / "found.json").read_text())["results"]] == [320, 160] * 2
