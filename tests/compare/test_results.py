import statistics

import numpy as np
import pyarrow.parquet as pq
import pytest

from memcom_rank.compare.cells import plan
from memcom_rank.compare.paired import paired_bootstrap
from memcom_rank.compare.results import grouped, references, write_results
from memcom_rank.compare.shelf import Shelf
from memcom_rank.contract.errors import CheckpointError, ConfigError
from tests.compare.cells import USERS, comparison, finish, scores


@pytest.fixture
def cells(tmp_path):
    return plan(comparison(tmp_path))


def results(tmp_path, cells, finished):
    shelf = Shelf(tmp_path)
    for cell in finished:
        finish(shelf, cell)
    return [shelf.read(cell) for cell in cells]


def test_what_is_lost_is_paired_over_users_and_seeds(tmp_path, cells):
    groups = grouped(results(tmp_path, cells, cells), "ndcg@10")
    assert [(g.technique, g.target_ratio) for g in groups] == [
        ("full", None),
        ("memcom", 4),
        ("memcom", 16),
        ("naive_hash", 4),
        ("naive_hash", 16),
    ]
    assert groups[0].change is None
    twins, rows = (
        np.stack([scores(cell) for cell in cells if cell[1:3] == key]) for key in (("full", None), ("memcom", 16))
    )
    change = groups[2].change
    assert change.mean_a == pytest.approx(twins.mean())
    assert change.mean == pytest.approx(
        np.mean([statistics.fmean(row - twin) for row, twin in zip(rows, twins, strict=True)])
    )
    # resampling users with both their values: the same as resampling their means
    (slow,) = paired_bootstrap(twins.mean(0)[:, None], rows.mean(0)[:, None])
    assert (change.low, change.high) == pytest.approx((slow.low, slow.high))
    assert groups[2].values == pytest.approx([row.mean() for row in rows])


def test_only_seeds_that_both_have_are_compared(tmp_path, cells):
    twins, memcom = [c for c in cells if c.technique == "full"], [c for c in cells if c[1:3] == ("memcom", 4)]
    groups = grouped(results(tmp_path, cells, [twins[0], *memcom]), "ndcg@10")
    assert groups[1].change.mean_a == pytest.approx(scores(twins[0]).mean())
    assert groups[1].change.mean_b == pytest.approx(scores(memcom[0]).mean())
    assert len(groups[1].values) == 2
    assert (groups[0].status, groups[2].status, groups[2].change) == ("finished", "not run", None)


def test_without_its_twin_nothing_is_compared(tmp_path, cells):
    groups = grouped(results(tmp_path, cells, cells[1:2]), "ndcg@10")
    assert groups[1].change is None
    assert groups[1].mean("embedding.bytes") == 16_000


def test_a_metric_that_runs_have_not(tmp_path, cells):
    with pytest.raises(ConfigError, match=r"metric mrr\n  wanted: one that runs have: best\.val\.ndcg@10, ndcg@10"):
        grouped(results(tmp_path, cells, cells[:1]), "mrr")


def test_other_users_are_not_compared(tmp_path, cells):
    shelf = Shelf(tmp_path)
    finish(shelf, cells[0])
    finish(shelf, cells[1], users=list(range(1, USERS + 1)))
    with pytest.raises(CheckpointError, match="were not tested on the users of"):
        grouped([shelf.read(cell) for cell in cells], "ndcg@10")


def test_a_row_per_cell(tmp_path, cells):
    asked = comparison(tmp_path)
    write_results(results(tmp_path, cells, cells[:2]), asked)
    rows = pq.read_table(tmp_path / "results.parquet").to_pylist()
    assert len(rows) == len(cells)
    assert rows[1] == {
        "head": "ranknet",
        "technique": "memcom",
        "target_ratio": 4,
        "seed": 1,
        "status": "finished",
        "reason": None,
        "embedding.bytes": 16_000,
        "embedding.ratio": 4,
        "model.bytes": 17_000,
        "best.val.ndcg@10": 0.5,
        "test.ndcg@10": pytest.approx(scores(cells[1]).mean()),
        "epochs": 3,
        "seconds": 60,
        "run": "cells/ranknet-memcom-4x-seed-1/runs/20260101-000000-fit",
    }
    assert {key for key, value in rows[2].items() if value is not None} == {
        "head", "technique", "target_ratio", "seed", "status"
    }  # fmt: skip
    assert rows[0]["target_ratio"] is None


def test_other_rankers_come_from_the_runs_least_first(tmp_path, cells):
    found = results(tmp_path, cells, cells[:1])
    assert references(found, "ranknet", "ndcg@10") == {"popularity": 0.2, "ease": 0.4}
    assert list(references(found, "ranknet", "ndcg@10")) == ["popularity", "ease"]
    assert references(found, "classifier", "ndcg@10") == {}
    shelf = Shelf(tmp_path / "synthetic")
    finish(shelf, cells[0], **{"synthetic.bayes.ndcg@10": 0.9})
    assert references([shelf.read(cells[0])], "ranknet", "ndcg@10")["best possible (Bayes)"] == 0.9
