"""Does training work, and how fast, on one GPU at catalogue size: an epoch in fp32 and one in bf16.

    python -m data_prep build --source synthetic --users 500000 --games 500000 --output data/large
    python benchmarks/gpu_check.py data/large --output benchmarks/results/gpu_check.json

Needs torch, pytorch-lightning, torchmetrics and pyarrow alone: the dataset may be built on another machine. MEmCom 32x
of width 64 with pooled matching (log-sum-exp matching compares every game of a history with the whole catalogue, for
which 500,000 games are too many). A fixed sample of the test users is evaluated, by the protocol of every run.
`--accelerator cpu` is for a look at a small dataset.
"""

import argparse
import json
import logging
import math
import platform
import time
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything

from memcom_rank.baselines import Popularity
from memcom_rank.contract.schemas import PADDING_ID, TEST
from memcom_rank.data import QueryBatch, RankingData, TrainBatch
from memcom_rank.data.dataset import Queries
from memcom_rank.data.ragged import select
from memcom_rank.embeddings import MEmCom
from memcom_rank.metrics import RankingMetrics
from memcom_rank.models import PoolMatch
from memcom_rank.tasks import RankNet

PRECISIONS = ("32-true", "bf16-mixed")
KS = (10, None)
DIM, RATIO = 64, 32.0
SEED = 1


class Meter(Callback):
    """Counts the pairs of an epoch and times it, from before its first batch to the end of its last step."""

    def __init__(self) -> None:
        self.pairs: torch.Tensor | int = 0  # on the device: looking at it would make every step wait
        self.seconds = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds -= time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: TrainBatch, batch_idx: int
    ) -> None:
        held_B = (batch.held != PADDING_ID).sum(1)
        self.pairs = self.pairs + (held_B * batch.real.sum(1)).sum()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.pairs = int(self.pairs)  # waits for the device
        self.seconds += time.perf_counter()


def sample(queries: Queries, count: int) -> Queries:
    """`count` of the users, drawn by the seed; all where there are no more."""
    chosen = torch.randperm(len(queries.rows), generator=torch.Generator().manual_seed(SEED))[:count].sort().values
    lists = (select(part, chosen) for part in queries[1:])
    return Queries(queries.rows[chosen], *lists)


def check(data: RankingData, users: Queries, precision: str, args: argparse.Namespace) -> dict[str, Any]:
    """Train one epoch, evaluate `users`; return what was measured."""
    seed_everything(SEED, verbose=False)
    embedding = partial(MEmCom, bias=False, target_ratio=RATIO)
    model = RankNet(data.num_ids, embedding, PoolMatch(), dim=DIM, ks=KS)
    meter = Meter()
    trainer = Trainer(
        accelerator=args.accelerator,
        devices=1,
        precision=precision,  # type: ignore[arg-type]
        max_epochs=1,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        callbacks=[meter],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    on_gpu = trainer.strategy.root_device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    trainer.fit(model, data)
    loss = float(trainer.callback_metrics["train/loss"])
    started = time.perf_counter()
    (found,) = trainer.test(model, data.query_loader(users), verbose=False)
    if not all(math.isfinite(value) for value in (loss, *found.values())):
        raise SystemExit(f"{precision}: not finite: loss {loss}, {found}")
    return {
        "device": torch.cuda.get_device_name() if on_gpu else "CPU",
        "epoch_seconds": meter.seconds,
        "pairs_per_second": meter.pairs / meter.seconds,
        "peak_memory_bytes": torch.cuda.max_memory_allocated() if on_gpu else None,
        "evaluated_users_per_second": len(users.rows) / (time.perf_counter() - started),
        "loss": loss,
        **found,
        "embedding_bytes": model.ranker.embedding.num_bytes,
        "embedding_full_bytes": model.ranker.embedding.full_bytes,
    }


def popularity_ndcg(data: RankingData, users: Queries) -> float:
    """The nDCG@10 of the same games for everyone: what a trained model must pass."""
    facts = data.dataset.manifest
    popularity = Popularity().fit(*data.dataset.interactions(), facts.num_users, facts.num_ids)
    metrics = RankingMetrics([10], data.num_ids)
    batch: QueryBatch
    for batch in data.query_loader(users):
        metrics.update(popularity.score(batch.history), batch.targets, batch.grades, batch.history)
    return float(metrics.compute()["ndcg@10"])


def markdown(results: dict[str, Any]) -> str:
    lines = ["| precision | device | epoch s | M pairs/s | peak memory | test nDCG@10 | test nDCG |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|")
    for precision, r in results["precisions"].items():
        memory = f"{r['peak_memory_bytes'] / 1e9:.2f} GB" if r["peak_memory_bytes"] is not None else "-"
        speed = f"{r['epoch_seconds']:.1f} | {r['pairs_per_second'] / 1e6:.1f}"
        lines.append(
            f"| {precision} | {r['device']} | {speed} | {memory} | {r['test/ndcg@10']:.4f} | {r['test/ndcg']:.4f} |"
        )
    best = results["best_possible_ndcg@10"]
    lines.append(
        f"\n{results['users_evaluated']:,} test users; popularity's nDCG@10 {results['popularity_ndcg@10']:.4f}"
        + (f"; the best possible over all users {best:.4f}" if best is not None else "")
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="folder made by python -m data_prep build")
    parser.add_argument("--accelerator", default="gpu", help="gpu (default), or cpu for a look at a small dataset")
    parser.add_argument("--users-evaluated", type=int, default=2000, help="test users in the nDCG (default 2000)")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--num-workers", type=int, default=0, help="processes that prepare batches (default 0)")
    parser.add_argument("--output", type=Path, help="JSON file of everything measured")
    args = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers")
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\)")  # Lightning on torch 2.13

    data = RankingData(args.dataset, batch_size=args.batch_size, num_workers=args.num_workers, seed=SEED)
    users = sample(data.dataset.queries(TEST), args.users_evaluated)
    facts = data.dataset.manifest
    results: dict[str, Any] = {
        "dataset": {"users": facts.num_users, "games": facts.num_games, "digest": facts.digest},
        "model": f"MEmCom {RATIO:g}x, no bias, width {DIM}, PoolMatch",
        "batch_size": args.batch_size,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "lightning": version("pytorch-lightning"),
        },
        "users_evaluated": len(users.rows),
        "popularity_ndcg@10": popularity_ndcg(data, users),
        "best_possible_ndcg@10": facts.references.get("synthetic.bayes.ndcg@10"),
        "precisions": {precision: check(data, users, precision, args) for precision in PRECISIONS},
    }
    print(markdown(results))
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
