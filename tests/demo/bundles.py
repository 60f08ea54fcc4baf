"""Bundles made by hand: a real low-bit model over a made-up catalogue, in the format that an export has.

A history's query is the mean of its games' rows; scores are products with all rows (packed codes, `MatMulNBits`) plus a
bias; seen games leave; the best k remain.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from memcom_rank.runtime import pack_games, write_bundle

FIRST = 2  # ids 0 and 1 are padding and unknown
ADJECTIVES = ("Silent", "Crimson", "Hollow", "Endless", "Broken", "Golden", "Frozen", "Wandering")
NOUNS = ("Harbour", "Citadel", "Orchard", "Engine", "Lantern", "Kingdom", "Reef", "Signal")
GAMES = [  # own id, title; the most popular first
    ("Half-Orbit 2", "Half-Orbit 2"),
    ("c1", "Café Tycoon: <b>Deluxe</b> & Friends"),
    ("Half-Orbit", "Half-Orbit"),
    ("cs", "Counter-Orbit Source Online"),
    ("tab", "Tab\there, line\nthere \\n"),
    *((f"{adjective[:2]}{noun[:2]}", f"{adjective} {noun}") for noun in NOUNS for adjective in ADJECTIVES),
]


def make_bundle(folder: Path, *, games: Sequence = GAMES, bits: int = 4, rows_ND=None, k: int = 20, **fields) -> Path:
    """Write a bundle of `games` to the new folder and return it."""
    if rows_ND is None:
        rows_ND = np.random.default_rng(len(games)).standard_normal((len(games), 32))
    rows_VD = np.concatenate([np.zeros((FIRST, rows_ND.shape[1])), rows_ND]).astype(np.float32)
    bias_V = -0.3 * np.log1p(np.arange(len(rows_VD))).astype(np.float32)
    bias_V[:FIRST] = -np.inf
    model = rank_model(rows_VD, bias_V, bits=bits, k=k).SerializeToString()
    titles, card = pack_games(games), b"# A made-up model\n"
    embedding, bias = rows_VD.size * bits // 8 + rows_VD.size // 8, bias_V.nbytes
    graph = len(model) - embedding - bias
    parts = {
        "embedding": embedding,
        "bias": bias,
        "matcher": 0,
        "graph": graph,
        "games": len(titles),
        "card": len(card),
    }
    described = {
        "runtime": "onnx",
        "model": "model.onnx",
        "games": "games.gz",
        "num_games": len(games),
        "k": k,
        "max_history": None,
        "technique": "MEmCom",
        "dim": rows_VD.shape[1],
        "bits": bits,
        "head": "Classifier",
        "dataset": {"name": "made-up", "digest": "0" * 64, "num_users": 12},
        "trained": {"epochs": 3, "seed": 0},
        "bytes": {**parts, "total": sum(parts.values())},
        "full_table_bytes": rows_VD.nbytes,
        "full_model_bytes": rows_VD.nbytes + bias,
        "metrics": {"ndcg@10": 0.2468, "recall@10": 0.31},
        **fields,
    }
    write_bundle(folder, {"model.onnx": model, "games.gz": titles, "README.md": card}, described)
    return folder


def quantise(rows_VD: np.ndarray, bits: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes of `bits` bits around 2^(bits - 1), lowest bits first: [V, blocks, bytes] uint8, and steps [V, blocks]."""
    zero = 1 << (bits - 1)
    blocks = rows_VD.reshape(len(rows_VD), -1, block)
    step = np.abs(blocks).max(-1, keepdims=True) / max(zero - 1, 0.5) + 1e-9
    codes = np.clip(np.round(blocks / step) + zero, 0, 2 * zero - 1).astype(np.uint8)
    codes = codes.reshape(*codes.shape[:2], -1, 8 // bits) << (np.arange(8 // bits) * bits).astype(np.uint8)
    return np.bitwise_or.reduce(codes, axis=-1), step[..., 0].astype(np.float32)


def rank_model(rows_VD: np.ndarray, bias_V: np.ndarray, *, bits: int, k: int, block: int = 32) -> onnx.ModelProto:
    """history [batch, length] int64 -> ids [batch, k] int64, scores [batch, k] float32."""
    num_ids, dim = rows_VD.shape
    constants: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def constant(name: str, value) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(op: str, inputs: list[str], *outputs: str, **attributes) -> None:
        nodes.append(helper.make_node(op, inputs, list(outputs), **attributes))

    packed, step = quantise(rows_VD, bits, block)
    constant("packed", packed)
    constant("step", step)
    constant("last", np.array([-1]))
    shifts = constant("shifts", (np.arange(8 // bits) * bits).astype(np.uint8))
    node("Gather", ["packed", "history"], "bytes")
    node("Unsqueeze", ["bytes", "last"], "byte")
    node("BitShift", ["byte", shifts], "shifted", direction="RIGHT")
    node("BitwiseAnd", ["shifted", constant("ones", np.uint8((1 << bits) - 1))], "parts")
    node("Reshape", ["parts", constant("in_blocks", np.array([0, 0, dim // block, block]))], "codes")
    node("Cast", ["codes"], "floats", to=TensorProto.FLOAT)
    node("Sub", ["floats", constant("zero", np.float32(1 << (bits - 1)))], "centred")
    node("Gather", ["step", "history"], "steps")
    node("Unsqueeze", ["steps", "last"], "step_of_block")
    node("Mul", ["centred", "step_of_block"], "values")
    node("Reshape", ["values", constant("in_rows", np.array([0, 0, dim]))], "rows")
    node("Greater", ["history", constant("unknown", np.array(FIRST - 1))], "known")
    node("Cast", ["known"], "weights", to=TensorProto.FLOAT)
    node("Unsqueeze", ["weights", "last"], "weight")
    node("Mul", ["rows", "weight"], "weighted")
    length = constant("length_axis", np.array([1]))
    node("ReduceSum", ["weighted", length], "sum", keepdims=0)
    node("ReduceSum", ["weight", length], "number", keepdims=0)
    node("Max", ["number", constant("one", np.float32(1))], "at_least_one")
    node("Div", ["sum", "at_least_one"], "query")
    product = {"domain": "com.microsoft", "K": dim, "N": num_ids, "bits": bits, "block_size": block}
    node("MatMulNBits", ["query", "packed", "step"], "products", **product)
    node("Add", ["products", constant("bias", bias_V)], "all_scores")
    node("Shape", ["history"], "shape")
    node("Expand", [constant("gone", np.float32(-np.inf)), "shape"], "removed")
    node("ScatterElements", ["all_scores", "history", "removed"], "left", axis=1)
    node("TopK", ["left", constant("k", np.array([k]))], "scores", "found")
    node("IsInf", ["scores"], "none")
    node("Where", ["none", constant("padding", np.array(0)), "found"], "ids")
    history = helper.make_tensor_value_info("history", TensorProto.INT64, ["batch", "length"])
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", k])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", k])
    graph = helper.make_graph(nodes, "rank", [history], [ids, scores], constants)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)
