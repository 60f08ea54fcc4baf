"""Time one training step of the pooled lookup: forward, backward, optimizer; at equal bytes for the compressed ones.

    python benchmarks/embedding_step.py --threads 1 --output benchmarks/results/embedding_step.json

The full table appears in its best formulation too: a comparison with a slow one would flatter compression. The
formulations take turns within each repeat, so that a busy machine slows all of them alike; medians are reported. Every
technique is there, with its rows in training: those that keep latent floats train a row per id.
"""

import argparse
import inspect
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag

from memcom_rank import embeddings
from memcom_rank.embeddings import CompressedEmbedding, Full, MEmCom, MergeRare, NaiveHash
from memcom_rank.embeddings.quantise import rounded
from memcom_rank.embeddings.stacked_rows import StackedRows

Step = Callable[[], None]
RATE, EPSILON = 1e-3, 1e-10
TILE = 2048  # rows that stay in a core's cache


def zipf_ids(num_ids: int, batch: int, length: int) -> Tensor:
    """Game ids [batch, length] from 2, the i-th most popular drawn in proportion to 1 / i."""
    shares = 1 / torch.arange(1, num_ids - 1, dtype=torch.float64)
    return torch.multinomial(shares, batch * length, replacement=True).view(batch, length) + 2


class Problem:
    """One batch, and the gradient that a network above the lookup would send back."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.num_ids, self.dim, self.ratio = args.num_ids, args.dim, args.ratio
        self.ids_BL = zipf_ids(args.num_ids, args.batch, args.length)
        self.weights_BL = torch.full(self.ids_BL.shape, 1 / args.length)
        self.grad_BD = torch.randn(args.batch, args.dim)

    def step(self, pool: Callable[[], Tensor], parameters: list[nn.Parameter], *, fused: bool) -> Step:
        optimizer = torch.optim.Adam(parameters, lr=RATE, fused=fused)

        def run() -> None:
            optimizer.zero_grad()
            pool().backward(self.grad_BD)
            optimizer.step()

        return run

    def ours(self, technique: CompressedEmbedding) -> Step:
        return self.step(lambda: technique.pool(self.ids_BL, self.weights_BL), list(technique.parameters()), fused=True)


def full_naive(p: Problem) -> Step:
    table = nn.Embedding(p.num_ids, p.dim, padding_idx=0)
    return p.step(lambda: table(p.ids_BL).mean(dim=1), [table.weight], fused=False)


def full_bag(p: Problem) -> Step:
    table = Full(p.num_ids, p.dim).table.rows_MW
    return p.step(
        lambda: embedding_bag(p.ids_BL, table, mode="sum", per_sample_weights=p.weights_BL, padding_idx=0),
        [table],
        fused=True,
    )


class Used:
    """The ids in a batch [U] and where each is, found by a sort."""

    def __init__(self, ids_BL: Tensor) -> None:
        self.ids_BL = ids_BL
        sorted_N, self.places_N = ids_BL.reshape(-1).int().sort()
        used_U, self.counts_U = torch.unique_consecutive(sorted_N, return_counts=True)
        self.ids_U = used_U.long()

    def pool(self, rows_UD: Tensor, weights_BL: Tensor) -> Tensor:
        """The weighted sum of the used rows, for each history."""
        which_N = torch.empty_like(self.places_N)
        which_N[self.places_N] = torch.arange(len(self.ids_U)).repeat_interleave(self.counts_U)
        which_BL = which_N.view_as(self.ids_BL)
        return embedding_bag(which_BL, rows_UD, mode="sum", per_sample_weights=weights_BL)

    def gradient(self, weights_BL: Tensor, grad_BD: Tensor) -> Tensor:
        """The gradient of each used row [U, D], summed by the bag kernel."""
        bags_N, starts_U = self.places_N // self.ids_BL.shape[1], self.counts_U.cumsum(0) - self.counts_U
        weights_N = weights_BL.reshape(-1)[self.places_N]
        return embedding_bag(bags_N, grad_BD, starts_U, mode="sum", per_sample_weights=weights_N)


class RowwiseAdagrad:
    """One state per row of a table, and steps of the used rows alone."""

    def __init__(self, table_VD: Tensor) -> None:
        self.table_VD, self.squares_V = table_VD, torch.zeros(len(table_VD))

    def step(self, used_U: Tensor, grad_UD: Tensor) -> None:
        squares_U = self.squares_V.index_select(0, used_U)
        squares_U += torch.linalg.vector_norm(grad_UD, dim=1).square() / grad_UD.shape[1]
        self.squares_V.index_copy_(0, used_U, squares_U)
        grad_UD.mul_((-RATE * (squares_U + EPSILON).rsqrt()).unsqueeze(1))
        self.table_VD.index_add_(0, used_U, grad_UD)


def full_rowwise(p: Problem) -> Step:
    """The best formulation known: gradients of the used rows only, and one Adagrad state per row."""
    optimizer = RowwiseAdagrad(Full(p.num_ids, p.dim).table().detach())

    def run() -> None:
        embedding_bag(p.ids_BL, optimizer.table_VD, mode="sum", per_sample_weights=p.weights_BL)
        used = Used(p.ids_BL)
        optimizer.step(used.ids_U, used.gradient(p.weights_BL, p.grad_BD))

    return run


def merge_rare_rowwise(p: Problem) -> Step:
    """MergeRare with that optimizer, before its rows merge: popular rows are rounded where used, rare ones stay."""
    technique = MergeRare(p.num_ids, p.dim, target_ratio=p.ratio)
    popular, rare = cast(StackedRows, technique.table).parts()
    latent_VD = torch.cat([torch.zeros(1, p.dim), popular.rows_MW.detach(), rare.rows_MW.detach()[: rare.num_rows]])
    optimizer = RowwiseAdagrad(latent_VD)

    def run() -> None:
        used = Used(p.ids_BL)
        rows_UD = optimizer.table_VD.index_select(0, used.ids_U)
        num_popular = int((used.ids_U <= popular.num_rows).sum())  # ids in order: popular ones come first
        for rows_TD in rows_UD[:num_popular].split(TILE):
            rows_TD.copy_(rounded(rows_TD, popular.bits))
        used.pool(rows_UD, p.weights_BL)
        optimizer.step(used.ids_U, used.gradient(p.weights_BL, p.grad_BD))

    return run


def memcom_naive(p: Problem) -> Step:
    technique = MEmCom(p.num_ids, p.dim, bias=False, target_ratio=p.ratio)
    scale_V1 = nn.Parameter(technique.scale().detach().unsqueeze(1))

    def pool() -> Tensor:
        rows_BLD = embedding((p.ids_BL - 2) % technique.num_rows, technique.rows.rows_MW)
        return (rows_BLD * embedding(p.ids_BL, scale_V1)).mean(dim=1)

    return p.step(pool, [technique.rows.rows_MW, scale_V1], fused=False)


def memcom_torch_bag(p: Problem) -> Step:
    technique = MEmCom(p.num_ids, p.dim, bias=False, target_ratio=p.ratio)

    def pool() -> Tensor:
        scale_BL = technique.scale(p.ids_BL) * p.weights_BL
        rows_BL = (p.ids_BL - 2) % technique.num_rows
        return embedding_bag(rows_BL, technique.rows.rows_MW, mode="sum", per_sample_weights=scale_BL)

    return p.step(pool, list(technique.parameters()), fused=True)


MERGE_RARE_BEST = "MergeRare: own sums of used rows, rounded, row-wise Adagrad"
FULL_BEST, MEMCOM_NAIVE = "full: own sums of used rows, row-wise Adagrad", "MEmCom: gather * gather, mean, Adam"
FORMULATIONS: dict[str, Callable[[Problem], Step]] = {
    "full: nn.Embedding, mean, Adam": full_naive,
    "full: torch embedding_bag, fused Adam": full_bag,
    MERGE_RARE_BEST: merge_rare_rowwise,
    "full: ours (Full), fused Adam": lambda p: p.ours(Full(p.num_ids, p.dim)),
    FULL_BEST: full_rowwise,
    MEMCOM_NAIVE: memcom_naive,
    "MEmCom: torch embedding_bag, fused Adam": memcom_torch_bag,
    "MEmCom: ours, no bias, fused Adam": lambda p: p.ours(MEmCom(p.num_ids, p.dim, bias=False, target_ratio=p.ratio)),
    "MEmCom: ours, bias, fused Adam": lambda p: p.ours(MEmCom(p.num_ids, p.dim, bias=True, target_ratio=p.ratio)),
    "naive hash: ours, fused Adam": lambda p: p.ours(NaiveHash(p.num_ids, p.dim, target_ratio=p.ratio)),
}
ABOVE = ("Full", "MEmCom", "NaiveHash")
KNOBS = {"MixedPrecision": {"bits": 1}}  # what fits at 16x of width 64


def ours(name: str) -> Callable[[Problem], Step]:
    kind: Callable[..., CompressedEmbedding] = getattr(embeddings, name)
    return lambda p: p.ours(kind(p.num_ids, p.dim, target_ratio=p.ratio, **KNOBS.get(name, {})))


FORMULATIONS |= {
    f"{name}: ours, fused Adam": ours(name)
    for name, kind in vars(embeddings).items()
    if inspect.isclass(kind) and not inspect.isabstract(kind) and name not in ABOVE
}


def measure(steps: dict[str, Step], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of every repeat of every step, after two unmeasured rounds."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(-2, repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if repeat >= 0:
                times[name].append((time.perf_counter() - start) * 1e3)
    return times


def markdown(medians: dict[str, float]) -> str:
    lines = ["| formulation | ms/step | x full's best | naive MEmCom / it |", "|---|---:|---:|---:|"]
    best, naive = medians[FULL_BEST], medians[MEMCOM_NAIVE]
    lines += [f"| {name} | {ms:.1f} | {ms / best:.2f} | {naive / ms:.1f} |" for name, ms in medians.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-ids", type=int, default=500_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--ratio", type=float, default=16.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    problem = Problem(args)
    times = measure({name: make(problem) for name, make in FORMULATIONS.items()}, args.repeats)
    medians = {name: statistics.median(ms) for name, ms in times.items()}
    print(markdown(medians))
    if args.output:
        options = {name: value for name, value in vars(args).items() if name != "output"}
        machine = {"torch": torch.__version__, "machine": platform.machine(), "python": platform.python_version()}
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps({"options": options, **machine, "median_ms": medians, "ms": times}, indent=1))


if __name__ == "__main__":
    main()
