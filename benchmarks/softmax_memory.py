"""Memory and time of a classifier's training step over a large catalogue: users x games held whole, or in tiles.

    python benchmarks/softmax_memory.py --output benchmarks/results/softmax_memory.json

Peak memory is what a step (forward and backward, pooled match) takes above parameters, gradients and optimizer state:
counted allocation by allocation on a CPU, by CUDA's own counter on a GPU. The two ways take turns within each repeat,
so that a busy machine slows both alike; medians are reported.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from memcom_rank.embeddings import CompressedEmbedding, Full, MEmCom
from memcom_rank.losses import softmax_loss, tiled_softmax_loss
from memcom_rank.models import PoolMatch, Ranker

TECHNIQUES: dict[str, Callable[[int, int], CompressedEmbedding]] = {
    "full table": Full,
    "MEmCom 16x": partial(MEmCom, target_ratio=16.0),
}


class Problem:
    """A ranker with gradients and optimizer state, and a batch of which each user hides some games."""

    def __init__(self, technique: str, batch: int, args: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.device = torch.device(args.device)
        self.ranker = Ranker(TECHNIQUES[technique](args.num_ids, args.dim), PoolMatch(), game_bias=True).to(self.device)
        owned_BL = (torch.rand(batch, args.length) ** 4 * (args.num_ids - 2)).long() + 2  # low ids are popular
        kept_BL = torch.rand(batch, args.length) < 0.85
        lists = (owned_BL, owned_BL.where(kept_BL, 0), owned_BL.where(~kept_BL, 0), torch.ones(batch))
        self.owned_BL, self.history_BL, self.hidden_BL, self.weights_B = (ids.to(self.device) for ids in lists)
        optimizer = torch.optim.Adam(self.ranker.parameters(), fused=True)
        self.tiled()
        optimizer.step()

    def plain(self) -> None:
        self._train(lambda *rest: softmax_loss(self.ranker(self.history_BL), *rest))

    def tiled(self) -> None:
        self._train(lambda *rest: tiled_softmax_loss(self.ranker.tiles(self.history_BL), *rest))

    def _train(self, loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        self.ranker.zero_grad(set_to_none=False)
        loss(self.hidden_BL, self.owned_BL, self.weights_B).backward()
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def peak_bytes(step: Callable[[], None], device: torch.device) -> int:
    """The most bytes that `step` has allocated at once, above those there before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as seen:
        step()
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def measure(technique: str, batch: int, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Peak bytes, and the seconds of every repeat, of both ways."""
    problem = Problem(technique, batch, args)
    ways = {"plain": problem.plain, "tiled": problem.tiled}
    found: dict[str, dict[str, Any]] = {
        way: {"peak_bytes": peak_bytes(step, problem.device), "seconds": []} for way, step in ways.items()
    }
    found["tiled"]["tiles"] = len(problem.ranker.tiles(problem.history_BL))
    for _ in range(args.repeats):
        for way, step in ways.items():
            start = time.perf_counter()
            step()
            found[way]["seconds"].append(time.perf_counter() - start)
    return found


def markdown(results: list[dict[str, Any]]) -> str:
    lines = [
        "| embedding | users | plain MB | tiled MB | plain s | tiled s | tiles |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for r in results:
        plain, tiled = r["plain"], r["tiled"]
        memory = f"{plain['peak_bytes'] / 1e6:,.0f} | {tiled['peak_bytes'] / 1e6:,.0f}"
        seconds = f"{statistics.median(plain['seconds']):.2f} | {statistics.median(tiled['seconds']):.2f}"
        lines.append(f"| {r['embedding']} | {r['users']} | {memory} | {seconds} | {tiled['tiles']} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-ids", type=int, default=500_002, help="games and the two other ids (default 500002)")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 512], help="users of a step (default 64 512)")
    parser.add_argument("--length", type=int, default=64, help="games of a user (default 64)")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, help="JSON file of everything measured")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    results = [
        {"embedding": technique, "users": batch, **measure(technique, batch, args)}
        for batch in args.batch
        for technique in TECHNIQUES
    ]
    print(markdown(results))
    if args.output:
        options = {name: value for name, value in vars(args).items() if name != "output"}
        machine = {"torch": torch.__version__, "machine": platform.machine(), "python": platform.python_version()}
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps({"options": options, **machine, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
