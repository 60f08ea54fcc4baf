"""Train and measure the README's table: Steam-200k, three seeds, each with a split of its own.

    python benchmarks/steam_quality.py --input steam-200k.csv --output benchmarks/results/steam_quality.json

A finished (seed, variant) is kept in the work folder and not run again, so that a killed benchmark goes on. MEmCom and
naive hashing at the same bytes are compared user by user: their difference has a bootstrap interval over all users of
all seeds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import data_prep

ROOT = Path(__file__).resolve().parent.parent
AT_16 = "--model.init_args.embedding.init_args.target_ratio=16"
VARIANTS: dict[str, list[str]] = {
    "MEmCom 4x (ranknet.yaml)": [],
    "full table": ["--config", "embedding/full.yaml"],
    "MEmCom 16x": [AT_16],
    "naive hash 16x": ["--config", "embedding/naive_hash.yaml", AT_16],
}
PAIR = ("MEmCom 16x", "naive hash 16x")
METRIC = "ndcg@10"
Results = dict[str, list[dict[str, Any]]]  # variant -> a summary per seed


def run(variant: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Fit one variant on one seed's split, or read what an earlier benchmark left."""
    folder = args.work / f"seed-{seed}"
    done = folder / f"{variant.replace(' ', '-')}.json"
    if not done.exists():
        dataset = folder / "dataset"
        if not dataset.exists():
            data_prep.build("steam200k", dataset, input=args.input, seed=seed)
        command = [sys.executable, str(ROOT / "train.py"), "fit", "--config", "ranknet.yaml", *VARIANTS[variant]]
        command += ["--seed_everything", str(seed), "--data.path", "dataset", *args.flags]
        before = set(folder.glob("runs/*-fit*"))
        subprocess.run(command, cwd=folder, check=True, env={**os.environ, "WANDB_MODE": "disabled"})
        (made,) = set(folder.glob("runs/*-fit*")) - before
        summary = json.loads((made / "summary.json").read_text(encoding="utf-8"))
        done.write_text(json.dumps({**summary, "run": str(made)}), encoding="utf-8")
    found: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
    return found


def paired(results: Results, repeats: int = 10_000) -> dict[str, float]:
    """Mean difference of `METRIC` over the users of all seeds, with a 95% bootstrap interval (users resampled)."""
    gaps: list[np.ndarray] = []
    for one, other in zip(*(results[variant] for variant in PAIR), strict=True):
        first, second = (
            pq.read_table(Path(s["run"]) / "users_test.parquet", columns=["row", METRIC]) for s in (one, other)
        )
        assert first["row"] == second["row"]
        gaps.append(first[METRIC].to_numpy() - second[METRIC].to_numpy())
    gap = np.concatenate(gaps)
    rng = np.random.default_rng(0)
    means = [gap[rng.integers(len(gap), size=len(gap))].mean() for _ in range(repeats)]
    low, high = np.quantile(means, [0.025, 0.975])
    return {"difference": float(gap.mean()), "low": float(low), "high": float(high), "users": len(gap)}


def spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values) if len(values) > 1 else 0.0:.4f}"


def markdown(results: Results, difference: dict[str, float]) -> str:
    first = next(iter(results.values()))
    lines = [
        "| ranker | nDCG@10 | nDCG | of EASE | embedding bytes | whole model | s/run |",
        "|---|---|---|---|---:|---:|---:|",
    ]
    for name in ("popularity", "ease"):
        at_10, full = ([s[f"baselines.{name}.{key}"] for s in first] for key in (METRIC, "ndcg"))
        share = statistics.mean(s[f"baselines.{name}.{METRIC}"] / s[f"baselines.ease.{METRIC}"] for s in first)
        lines.append(f"| {'EASE' if name == 'ease' else name} | {spread(at_10)} | {spread(full)} | {share:.1%} | | | |")
    for variant, runs in results.items():
        share = statistics.mean(s[f"test.{METRIC}"] / s[f"baselines.ease.{METRIC}"] for s in runs)
        at_10, full = ([s[f"test.{key}"] for s in runs] for key in (METRIC, "ndcg"))
        seconds = statistics.mean(s["wall_seconds"] for s in runs)
        sizes = f"{runs[0]['embedding.bytes']:,} | {runs[0]['model.bytes']:,}"
        lines.append(f"| {variant} | {spread(at_10)} | {spread(full)} | {share:.1%} | {sizes} | {seconds:.0f} |")
    lines.append(
        f"\n{PAIR[0]} minus {PAIR[1]}: {difference['difference']:+.4f} nDCG@10, 95% interval "
        f"[{difference['low']:+.4f}, {difference['high']:+.4f}], paired over {difference['users']:,} users."
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="steam-200k.csv as published")
    parser.add_argument("--work", type=Path, default=Path("runs/steam_quality"), help="datasets and runs are kept here")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--output", type=Path, help="JSON; the Markdown table is written beside it")
    parser.add_argument("flags", nargs="*", help="more flags for every fit, after --")
    args = parser.parse_args()
    args.input, args.work = args.input.resolve(), args.work.resolve()
    results = {variant: [run(variant, seed, args) for seed in args.seeds] for variant in VARIANTS}
    difference = paired(results)
    table = markdown(results, difference)
    print(table)
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        kept = {variant: [_public(summary) for summary in runs] for variant, runs in results.items()}
        args.output.write_text(json.dumps({"paired": difference, "runs": kept}, indent=1) + "\n", encoding="utf-8")
        args.output.with_suffix(".md").write_text(table + "\n", encoding="utf-8")


def _public(summary: dict[str, Any]) -> dict[str, Any]:
    places = ("run", "checkpoint", "wandb", "dataset.path")
    return {key: value for key, value in summary.items() if not key.startswith(places)}


if __name__ == "__main__":
    main()
