"""Small ONNX rankers and bundles for tests, made without torch, and the same ranking in plain Python."""

import hashlib
import json
import math

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from memcom_rank.runtime import pack_games

NUM_GAMES, DIM, K = 12, 4, 10
GAMES = [
    ("570", "Dota 2"),
    ("400", "Portal"),
    ("620", "Portal 2"),
    ("Half-Life", "Half-Life"),
    ("220", "Half-Life 2"),
    ("x1", "Tab\there, line\nthere, \\n"),
    ("x2", "Pokémon™: Red & Blue"),
    ("7", "Twins"),
    ("8", "Twins"),
    ("10", "400"),
    ("11", "Don't Starve"),
    ("12", "東方紅魔郷"),
]
FIELDS = {
    "runtime": "onnx",
    "model": "model.onnx",
    "games": "games.gz",
    "num_games": NUM_GAMES,
    "k": K,
    "max_history": None,
    "technique": "Full",
    "dim": DIM,
    "bits": 32,
    "head": "Classifier",
    "dataset": {"name": "tiny", "digest": "sha256:0", "num_users": 3},
    "trained": {"epochs": 1, "seed": 0, "rate": 1e-5, "note": None},
    "bytes": {"embedding": 4 * (NUM_GAMES + 2) * DIM, "bias": 0},
    "full_table_bytes": 4 * (NUM_GAMES + 2) * DIM,
    "full_model_bytes": 4 * (NUM_GAMES + 2) * DIM,
    "metrics": {"ndcg@10": 0.25},
}
TABLE = np.random.default_rng(0).standard_normal((NUM_GAMES + 2, DIM)).astype(np.float32)
TABLE[0] = 0


def reference(history, k=K, table=TABLE):
    """Rank one history with loops: [(id, score)], what is left of the catalogue."""
    query = [sum(float(table[game, d]) for game in history) for d in range(table.shape[1])]
    left = [game for game in range(2, len(table)) if game not in history]
    scored = [(game, math.fsum(query[d] * float(table[game, d]) for d in range(len(query)))) for game in left]
    return sorted(scored, key=lambda one: -one[1])[:k]


def model_bytes(table=TABLE, k=K, edit=lambda model: None):
    """The model of `reference`: a sum of rows, products with all of them, and the best that were not played."""
    constants = {
        "table": table,
        "across": np.array([1]),
        "minus_inf": np.array([-np.inf], dtype=np.float32),
        "zero": np.array(0),
        "k": np.array([k]),
        "first": np.array([[-np.inf, -np.inf] + [0] * (len(table) - 2)], dtype=np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "history"], ["rows"]),
        node("ReduceSum", ["rows", "across"], ["query"], keepdims=0),
        node("Gemm", ["query", "table"], ["all"], transB=1),
        node("Add", ["all", "first"], ["known"]),
        node("Shape", ["history"], ["shape"]),
        node("Expand", ["minus_inf", "shape"], ["gone"]),
        node("ScatterElements", ["known", "history", "gone"], ["left"], axis=1),
        node("TopK", ["left", "k"], ["scores", "places"]),
        node("IsInf", ["scores"], ["none"]),
        node("Where", ["none", "zero", "places"], ["ids"]),
    ]
    graph = helper.make_graph(
        nodes,
        "ranker",
        [helper.make_tensor_value_info("history", TensorProto.INT64, ["batch", "length"])],
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", k]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", k]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    edit(model)
    return model.SerializeToString()


def files(model=None, games=GAMES):
    """The files of a bundle."""
    card = "# Tiny\n"
    return {
        "model.onnx": model_bytes() if model is None else model,
        "games.gz": pack_games(games),
        "README.md": card.encode(),
    }


def write(folder, contents, fields=FIELDS, **facts):
    """Write a bundle without any check, as somebody who wants harm would: sizes and digests are right, but for `facts`.

    `facts` are {file name with _ for .: {fact: value}}, put in the place of what is right.
    """
    folder.mkdir()
    described = {}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        described[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        if name == fields["games"]:
            described[name]["unpacked_bytes"] = int.from_bytes(content[-4:], "little")
        described[name].update(facts.get(name.replace(".", "_"), {}))
    seal(folder, {"format": "memcom-rank bundle", "version": 1, "files": described, **fields})
    return folder


def seal(folder, fields):
    """Write a manifest with these fields and the digest that belongs to them."""
    fields = {key: value for key, value in fields.items() if key != "digest"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    whole = {**fields, "digest": hashlib.sha256(text.encode()).hexdigest()}
    (folder / "manifest.json").write_text(
        json.dumps(whole, sort_keys=True, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
