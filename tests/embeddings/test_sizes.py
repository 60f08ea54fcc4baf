"""Conformance of all techniques: bytes, and what becomes of every budget."""

import re

import pytest
import torch
import yaml

from memcom_rank import embeddings
from memcom_rank.contract.errors import BudgetError
from memcom_rank.embeddings import CompressedEmbedding
from tests.embeddings.techniques import DIM, NUM_IDS, TECHNIQUES

SIZED = {name: row for name, row in TECHNIQUES.items() if row.overlay != "full"}


def test_bytes_equal_the_closed_form_and_what_a_file_would_hold(row, embedding):
    wanted = row.num_bytes(NUM_IDS, DIM, getattr(embedding, row.size, 0))
    assert embedding.num_bytes == wanted == sum(tensor.nbytes for tensor in embedding.at_rest().values())
    assert embedding.full_bytes == NUM_IDS * DIM * 4
    assert embedding.ratio == embedding.full_bytes / embedding.num_bytes
    assert embedding.double().num_bytes == wanted  # fp32 at rest, whatever it runs in


@pytest.mark.parametrize("num_ids", [3, 5, NUM_IDS])
@pytest.mark.parametrize("name", SIZED)
def test_every_budget_is_kept_and_used_or_refused(name, num_ids):
    full = num_ids * DIM * 4
    made: dict[int, CompressedEmbedding] = {}
    for budget in sorted({1, *(full * part // 12 for part in range(1, 25))}):
        try:
            made[budget] = SIZED[name].make(num_ids, DIM, target_ratio=None, budget_bytes=budget)
        except BudgetError as error:
            assert made == {}, "a smaller budget was enough"
            least = int(re.search(r"at least (\d+) bytes", error.wanted)[1])
            assert budget < least
            assert SIZED[name].make(num_ids, DIM, target_ratio=None, budget_bytes=least).num_bytes == least
    for budget, embedding in made.items():
        assert embedding.num_bytes <= budget
        table_VD, close = SIZED[name].table(embedding), SIZED[name].close
        torch.testing.assert_close(embedding.dense(), table_VD, **close)
        torch.testing.assert_close(embedding.score(torch.eye(DIM)), table_VD.T, **close)
        # what a larger budget buys was too large for this one, else this one should have bought it
        assert all(m.num_bytes > budget or m.num_bytes == embedding.num_bytes for b, m in made.items() if b > budget)


@pytest.mark.parametrize("num_ids", [3, 4, NUM_IDS])
@pytest.mark.parametrize("name", SIZED)
def test_more_bytes_than_there_is_use_for(name, num_ids):
    made = SIZED[name].make(num_ids, DIM, target_ratio=None, budget_bytes="1GB")
    torch.testing.assert_close(made.dense(), SIZED[name].table(made), **SIZED[name].close)
    assert made.num_bytes < 4 * made.full_bytes + 100 * DIM


@pytest.mark.parametrize("target", [1, 1.3, 2, 4, 7, 1e9])
@pytest.mark.parametrize("name", SIZED)
def test_a_ratio_is_reached_or_refused(name, target):
    try:
        assert SIZED[name].make(1000, 16, target_ratio=target, budget_bytes=None).ratio >= target
    except BudgetError as error:
        largest = float(re.search(r"largest ratio is (\S+)", error.wanted)[1])
        assert largest < target
        assert SIZED[name].make(1000, 16, target_ratio=largest).ratio >= largest
    else:
        assert target < 1e9


@pytest.mark.parametrize("num_ids", [3, 5, NUM_IDS, 1000])
@pytest.mark.parametrize("name", SIZED)
def test_what_an_error_advises_fits(name, num_ids):
    for budget in (4 * DIM, num_ids * 3, num_ids * 5, num_ids * DIM // 4):
        try:
            SIZED[name].make(num_ids, DIM, target_ratio=None, budget_bytes=budget)
        except BudgetError as error:
            for advised in error.fix.split(", or use ")[1:]:
                kind, _, knob = advised.partition(" with ")
                make = SIZED[name].make if error.seen.startswith(kind) else getattr(embeddings, kind)
                knobs = yaml.safe_load(f"{{{knob}}}") | {"target_ratio": None, "budget_bytes": budget}
                assert make(num_ids, DIM, **knobs).num_bytes <= budget
