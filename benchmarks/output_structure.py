"""Time of finding the 10 best games of one query: dense scores, all games through MEmCom's structure, and its index.

    python benchmarks/output_structure.py --output benchmarks/results/output_structure.json

Dense is queries @ table.T and topk, 50 seen games removed: the best that a full table can do. "All" scores every game
through the structure. Values are drawn to be like trained ones (V around 1, biases of log popularity), and to hurt the
index: V of both signs with biases that know nothing of popularity, and biases that cancel the product, so that almost
all games tie. The ways take turns, 24 queries each, so that a busy machine slows all alike; medians over queries, those
of the first of the 24 apart ("cold": shared rows are not in the processor's caches; a full table never is). Every
answer is compared with that of scoring all games. "Games scored" are those of opened blocks, without whole scans.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, randn

from memcom_rank.embeddings import MEmCom
from memcom_rank.embeddings.block_top_k import BlockTopK
from memcom_rank.metrics import top_games

RUN = 24  # queries in succession; the first finds nothing of its way in the caches
Draw = Callable[[int], Tensor]


def near_one(v: int) -> Tensor:
    return 1 + 0.3 * randn(v)


def popularity(v: int) -> Tensor:
    return (0.5 * randn(v) - torch.arange(1, v + 1).log()).log_softmax(0)


# name: gain of the rows, V, W, bias of a game; the gain says how loud taste is beside popularity
VALUES: dict[str, tuple[float, Draw, Draw | None, Draw | None]] = {
    "V": (1.0, near_one, None, None),
    "V of both signs": (1.0, randn, None, None),
    "V, popularity bias": (3.0, near_one, None, popularity),
    "V, popularity bias, loud taste": (12.0, near_one, None, popularity),
    "V, W": (3.0, near_one, lambda v: 0.02 * randn(v), None),
    "V, W, popularity bias": (12.0, near_one, lambda v: 0.02 * randn(v), popularity),
    "adversarial: V of both signs, large W": (1.0, randn, randn, None),
    "adversarial: V of both signs, any bias": (3.0, randn, None, lambda v: 2 * randn(v)),
    "adversarial: biases cancel the product": (0.0, near_one, None, lambda v: 1e-3 * randn(v)),
}


def drawn(name: str, ratio: float, args: argparse.Namespace) -> tuple[MEmCom, Tensor | None, list[Tensor]]:
    """A technique, biases and queries [1, D]."""
    gain, scale, offset, bias = VALUES[name]
    embedding = MEmCom(args.num_ids, args.dim, bias=offset is not None, target_ratio=ratio)
    queries = [(0.5 * randn(1, args.dim)).tanh() for _ in range(args.queries)]
    bias_V = None if bias is None else bias(args.num_ids)
    with torch.no_grad():
        embedding.scale.values_N.copy_(scale(args.num_ids))
        if embedding.bias is not None and offset is not None:
            embedding.bias.values_N.copy_(offset(args.num_ids))
        embedding.rows.rows_MW.mul_(gain)
        if gain == 0:  # every dot product is 3, and -3 V is in the bias
            queries = [query_1D.abs() / query_1D.abs().sum() for query_1D in queries]
            embedding.rows.rows_MW.fill_(3.0)
            assert bias_V is not None
            bias_V -= 3 * embedding.scale()
    return embedding, bias_V, queries


def plus(scores_BV: Tensor, bias_V: Tensor | None) -> Tensor:
    return scores_BV if bias_V is None else scores_BV + bias_V


def measure(name: str, ratio: float, table_VD: Tensor, args: argparse.Namespace) -> dict[str, Any]:
    embedding, bias_V, queries = drawn(name, ratio, args)
    seen = [(torch.rand(1, args.seen) ** 4 * (args.num_ids - 2)).long() + 2 for _ in queries]
    start = time.perf_counter()
    index = BlockTopK(embedding, bias_V)
    build_s = time.perf_counter() - start
    opened: list[int] = []
    plain_open = index._open
    index._open = lambda *parts: (opened.append(parts[2].numel()), plain_open(*parts))[1]  # type: ignore[assignment, func-returns-value]
    ways: dict[str, Callable[[int], tuple[Tensor, Tensor]]] = {
        "dense": lambda n: best_unseen(plus(queries[n] @ table_VD.T, bias_V), seen[n], args.k),
        "all": lambda n: best_unseen(plus(embedding.score(queries[n]), bias_V), seen[n], args.k),
        "index": lambda n: index(queries[n], seen[n], args.k),
    }
    cold: dict[str, list[float]] = {way: [] for way in ways}
    warm: dict[str, list[float]] = {way: [] for way in ways}
    for first in range(0, len(queries), RUN):
        for way, find in ways.items():
            for n in range(first, min(first + RUN, len(queries))):
                start = time.perf_counter()
                find(n)
                (cold if n == first else warm)[way].append((time.perf_counter() - start) * 1e3)
    share = sum(opened) * index._ids_NS.shape[1] / len(queries) / args.num_ids
    for query_1D, seen_1L in zip(queries, seen, strict=True):
        wanted_ids_1k, wanted_1k = top_games(plus(embedding.score(query_1D), bias_V), seen_1L, args.k)
        ids_1k, scores_1k = index(query_1D, seen_1L, args.k)
        assert torch.equal(scores_1k, wanted_1k), name
        assert torch.equal(ids_1k, wanted_ids_1k) or len(set(wanted_1k[0].tolist())) < args.k, name
    stored = [index._ids_NS, index._row_N, index._first_N, *index._terms_NS, *index._low_N, *index._high_N]
    return {
        "values": name,
        "ratio": ratio,
        "rows": embedding.num_rows,
        "p50_ms": {way: statistics.median(ms) for way, ms in warm.items()},
        "p90_ms": {way: statistics.quantiles(ms, n=10)[-1] for way, ms in warm.items()},
        "p50_cold_ms": {way: statistics.median(ms) for way, ms in cold.items()},
        "opened_share": share,
        "build_s": build_s,
        "index_bytes": sum(tensor.nbytes for tensor in stored if tensor is not None),
    }


def best_unseen(scores_1V: Tensor, seen_1L: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best, without a copy or a look for NaN."""
    scores_1V[:, :2] = -torch.inf
    best_1k, ids_1k = scores_1V.scatter_(1, seen_1L, -torch.inf).topk(k)
    return ids_1k, best_1k


def markdown(results: list[dict[str, Any]]) -> str:
    lines = [
        "| values | ratio | rows | dense ms | all ms | index ms | dense / all | dense / index | cold | games scored |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for found in results:
        dense, every, index = (found["p50_ms"][way] for way in ("dense", "all", "index"))
        cold = found["p50_cold_ms"]["dense"] / found["p50_cold_ms"]["index"]
        what = f"{found['values']} | {found['ratio']:.0f} | {found['rows']:,}"
        times = f"{dense:.1f} | {every:.2f} | {index:.2f} | {dense / every:.0f} | {dense / index:.0f} | {cold:.0f}"
        lines.append(f"| {what} | {times} | {found['opened_share']:.2%} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-ids", type=int, default=1_000_002, help="games and the two other ids (default 1000002)")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--ratio", type=float, nargs="+", default=[51.0, 126.0])
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--seen", type=int, default=50, help="games not wanted (default 50)")
    parser.add_argument("--queries", type=int, default=72)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON file of everything measured")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    table_VD = randn(args.num_ids, args.dim)
    with torch.no_grad():
        results = [measure(name, ratio, table_VD, args) for ratio in args.ratio for name in VALUES]
    print(markdown(results))
    if args.output:
        options = {name: value for name, value in vars(args).items() if name != "output"}
        machine = {"torch": torch.__version__, "machine": platform.machine(), "python": platform.python_version()}
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps({"options": options, **machine, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
