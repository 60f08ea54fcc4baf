"""Time and memory of a full-softmax training step: through MEmCom's structure, by its dense table, and a full table.

    python -m benchmarks.output_training --output benchmarks/results/output_training.json

A step is forward and backward of pooled match and cross entropy over all games, one hidden game a user, the same loss
in every way (the test compares values and gradients). Peak memory is what it takes above parameters, gradients and
optimizer state. The ways take turns within each repeat, so that a busy machine slows all alike; medians are reported.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.softmax_memory import peak_bytes
from memcom_rank.embeddings import Full, MEmCom
from memcom_rank.losses import tiled_softmax_loss
from memcom_rank.models import PoolMatch, Ranker

STRUCTURE, DENSE = "MEmCom, structure", "MEmCom, v x e table and [B, v] scores"
FULL, FULL_TILED = "full table, [B, v] scores", "full table, tiles"


class Problem:
    """The rankers, with gradients and optimizer state, and a batch."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(0)
        compressed = MEmCom(args.num_ids, args.dim, bias=False, target_ratio=args.ratio)
        self.memcom = Ranker(compressed, PoolMatch(dropout=0.0), game_bias=False)
        self.full = Ranker(Full(args.num_ids, args.dim), PoolMatch(dropout=0.0), game_bias=False)
        self.history_BL = (torch.rand(args.batch, args.length) ** 4 * (args.num_ids - 2)).long() + 2
        self.hidden_B1 = torch.randint(2, args.num_ids, (args.batch, 1))
        self.weights_B = torch.ones(args.batch)
        for ranker in (self.memcom, self.full):
            optimizer = torch.optim.Adam(ranker.parameters(), fused=True)
            self.tiled(ranker)
            optimizer.step()

    def tiled(self, ranker: Ranker) -> Tensor:
        tiles = ranker.tiles(self.history_BL)
        return self._train(ranker, lambda: tiled_softmax_loss(tiles, self.hidden_B1, self.hidden_B1, self.weights_B))

    def plain(self, ranker: Ranker) -> Tensor:
        return self._train(ranker, lambda: self._cross_entropy(ranker(self.history_BL)[:, 2:]))

    def dense(self) -> Tensor:
        embedding = self.memcom.embedding
        assert isinstance(embedding, MEmCom)

        def loss() -> Tensor:
            scale_G1 = embedding.scale()[2:, None]
            rounds = -(-len(scale_G1) // embedding.num_rows)
            table_GD = embedding.rows().repeat(rounds, 1)[: len(scale_G1)] * scale_G1
            return self._cross_entropy(self.memcom.match.query(embedding, self.history_BL) @ table_GD.T)

        return self._train(self.memcom, loss)

    def _cross_entropy(self, scores_BG: Tensor) -> Tensor:
        return cross_entropy(scores_BG, self.hidden_B1[:, 0] - 2)

    @staticmethod
    def _train(ranker: Ranker, loss: Callable[[], Tensor]) -> Tensor:
        ranker.zero_grad(set_to_none=False)
        value = loss()
        value.backward()
        return value.detach()

    def ways(self) -> dict[str, Callable[[], Tensor]]:
        return {
            STRUCTURE: lambda: self.tiled(self.memcom),
            DENSE: self.dense,
            FULL: lambda: self.plain(self.full),
            FULL_TILED: lambda: self.tiled(self.full),
        }


def markdown(found: dict[str, dict[str, float]]) -> str:
    lines = ["| way | ms | x structure's time | peak MB |", "|---|---:|---:|---:|"]
    lines += [f"| {n} | {f['ms']:,.0f} | {f['times']:.1f} | {f['peak_bytes'] / 1e6:,.0f} |" for n, f in found.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-ids", type=int, default=500_002, help="games and the two other ids (default 500002)")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--batch", type=int, default=64, help="users of a step (default 64)")
    parser.add_argument("--length", type=int, default=64, help="games of a history (default 64)")
    parser.add_argument("--ratio", type=float, default=51.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--output", type=Path, help="JSON file of everything measured")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ways = Problem(args).ways()
    peaks = {name: peak_bytes(step, torch.device("cpu")) for name, step in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.repeats):
        for name, step in ways.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    found = {
        name: {
            "ms": statistics.median(seconds[name]) * 1e3,
            "times": statistics.median(a / b for a, b in zip(seconds[name], seconds[STRUCTURE], strict=True)),
            "peak_bytes": peaks[name],
        }
        for name in ways
    }
    print(markdown(found))
    print(f"\n[B, v] in fp32: {args.batch * args.num_ids * 4 / 1e6:,.0f} MB")
    if args.output:
        options = {name: value for name, value in vars(args).items() if name != "output"}
        machine = {"torch": torch.__version__, "machine": platform.machine(), "python": platform.python_version()}
        args.output.parent.mkdir(parents=True, exist_ok=True)
        results = {"options": options, **machine, "results": found, "seconds": seconds}
        args.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
