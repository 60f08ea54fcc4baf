"""A comparison of the shipped overlays, and cells as train.py leaves them, written by hand."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from memcom_rank.compare.cells import Comparison

CONFIGS = Path(__file__).parents[2] / "configs"
DIGEST = "sha256:0123456789abcdef0123"
USERS = 40
FULL_BYTES = 64_000


def comparison(output, *, techniques=("full", "memcom", "naive_hash"), heads=("ranknet",), **changes):
    """A Comparison; nothing is looked up."""
    asked = {
        "data": Path("/data/steam"),
        "heads": {name: CONFIGS / f"{name}.yaml" for name in heads},
        "techniques": {name: CONFIGS / "embedding" / f"{name}.yaml" for name in techniques},
        "ratios": [4, 16],
        "seeds": [1, 2],
        "flags": [],
        "metric": "ndcg@10",
        "output": Path(output),
        "digest": DIGEST,
    }
    return Comparison(**{**asked, **changes})


def scores(cell):
    """What the users of a cell get: the twin is best, and more compression costs more."""
    draw = np.random.default_rng(cell.seed)
    base = draw.random(USERS)
    return base if cell.target_ratio is None else base * (1 - 0.01 * cell.target_ratio) * draw.uniform(0.9, 1, USERS)


def write_fit(place, cell, *, values=None, users=None, **summary):
    """Leave in a cell's folder what a finished fit does."""
    run = place / "runs/20260101-000000-fit"
    run.mkdir(parents=True, exist_ok=True)
    values = scores(cell) if values is None else values
    size = FULL_BYTES / (cell.target_ratio or 1)
    found = {
        "dataset.digest": DIGEST,
        "best.val.ndcg@10": 0.5,
        "test.ndcg@10": float(np.mean(values)),
        "test.ndcg@10.low": 0.1,
        "test.slices.head.ndcg@10": 0.1,
        "embedding.bytes": int(size),
        "embedding.ratio": FULL_BYTES / size,
        "model.bytes": int(size) + 1000,
        "baselines.popularity.ndcg@10": 0.2,
        "baselines.ease.ndcg@10": 0.4,
        "baselines.ease.ridge": 100.0,
        "epochs": 3,
        "wall_seconds": 7.5,
    }
    (run / "summary.json").write_text(json.dumps({**found, **summary}))
    table = {"user": list(range(USERS)) if users is None else users, "ndcg@10": pa.array(values, pa.float64())}
    pq.write_table(pa.table(table), run / "users_test.parquet")


def finish(shelf, cell, **fit):
    """Put a finished cell on the shelf."""
    shelf.start(cell)
    write_fit(shelf.unfinished(cell), cell, **fit)
    shelf.close(cell, "finished", seconds=60)
