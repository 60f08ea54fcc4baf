"""Run folders as a test leaves them, written by hand."""

import json

import pyarrow as pa
import pyarrow.parquet as pq


def write_run(folder, *, users, digest="sha256:0123456789abcdef0123", **metrics):
    """Write a tested run; a metric is named by its key with @ for "_at_"."""
    folder.mkdir(parents=True)
    summary = {"dataset.digest": digest, "embedding.technique": "MEmCom", "embedding.ratio": 4.04, "seed": 3}
    (folder / "summary.json").write_text(json.dumps(summary))
    columns = {name.replace("_at_", "@"): pa.array(values, pa.float64()) for name, values in metrics.items()}
    table = pa.table({"row": list(range(len(users))), "user": users, **columns})
    pq.write_table(table, folder / "users_test.parquet")
    return folder
