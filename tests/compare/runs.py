"""Run folders as a test leaves them, written by hand, and differences between runs as they are."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def write_run(folder, *, users, digest="sha256:0123456789abcdef0123", **metrics):
    """Write a tested run; a metric is named by its key with @ for "_at_"."""
    folder.mkdir(parents=True)
    summary = {"dataset.digest": digest, "embedding.technique": "MEmCom", "embedding.ratio": 4.04, "seed": 3}
    (folder / "summary.json").write_text(json.dumps(summary))
    columns = {name.replace("_at_", "@"): pa.array(values, pa.float64()) for name, values in metrics.items()}
    slices = {"history_length": list(range(len(users))), "popularity": pa.array(["head"] * len(users), pa.string())}
    table = pa.table({"user": users, **columns, **slices})
    pq.write_table(table, folder / "users_test.parquet")
    return folder


def skewed_gaps(draw, size):
    """Most users are a tie, some win much, some lose little: skewed, like real differences of nDCG."""
    return np.where(draw.random(size) < 0.7, 0.0, draw.exponential(0.3, size) - 0.2)
