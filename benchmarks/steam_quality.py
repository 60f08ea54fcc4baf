"""The README's table: quality and bytes of each technique on Steam-200k, and a paired interval at equal bytes.

    python benchmarks/steam_quality.py --input steam-200k.csv --work /tmp/steam_quality

Each seed draws its own split and its own training run. Everything goes through the command line that users have; a
finished (seed, technique) is kept in the work folder and not run again. The interval compares MEmCom with naive hashing
at 16x, hence at the same bytes, user by user: users are resampled, each with its values of all seeds. It covers the
choice of users, not the luck of a training run; that shows in the spread over seeds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from memcom_rank.compare import Difference, paired_bootstrap

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "steam_quality.json"
TECHNIQUES: dict[str, list[str]] = {
    "Full": ["--config", "embedding/full.yaml"],
    "MEmCom 4x": [],  # as shipped
    "MEmCom 16x": ["--config", "embedding/memcom.yaml"],
    "NaiveHash 16x": ["--config", "embedding/naive_hash.yaml"],
}
PAIR = ("MEmCom 16x", "NaiveHash 16x")
KEY = "ndcg@10"


def dataset(work: Path, source: Path, seed: int) -> Path:
    """The dataset of a seed, built where it is not there yet."""
    folder = work / f"seed-{seed}" / "dataset"
    if not folder.exists():
        build = ["-m", "data_prep", "build", "--source", "steam200k", "--input", str(source.resolve())]
        command([*build, "--output", str(folder.resolve()), "--seed", str(seed)], ROOT)
    return folder


def fitted(work: Path, source: Path, seed: int, technique: str, flags: Sequence[str]) -> Path:
    """The run folder of a technique, trained where it is not there yet; its name appears when it is whole."""
    done = work / f"seed-{seed}" / technique.lower().replace(" ", "-")
    if not done.exists():
        data, runs = dataset(work, source, seed), work / f"seed-{seed}" / "runs"
        before = set(runs.glob("*-fit"))
        fit = [str(ROOT / "train.py"), "fit", "--config", "ranknet.yaml", *TECHNIQUES[technique]]
        own = ["--seed_everything", str(seed), "--data.path", str(data.resolve()), *flags]
        command([*fit, *own], runs.parent)
        (run,) = set(runs.glob("*-fit")) - before
        run.rename(done)
    return done


def command(words: Sequence[str], folder: Path) -> None:
    print(f"--- {' '.join(words)}", flush=True)
    subprocess.run([sys.executable, *words], cwd=folder, env={**os.environ, "WANDB_MODE": "disabled"}, check=True)


def compared(first: Sequence[Path], second: Sequence[Path]) -> Difference:
    """What going from `second` to `first` changes, over all users and the seeds in which they were tested."""
    sums: dict[Any, NDArray[np.float64]] = {}
    counts: dict[Any, int] = {}
    for one, two in zip(first, second, strict=True):
        mine, theirs = (pq.read_table(run / "users_test.parquet", columns=["user", KEY]) for run in (one, two))
        if mine["user"] != theirs["user"]:
            raise SystemExit(f"{one} and {two} were not tested on the same users")
        for user, *values in zip(*(column.to_pylist() for column in (*mine.columns, theirs[KEY])), strict=True):
            sums[user] = sums.get(user, 0.0) + np.array(values)
            counts[user] = counts.get(user, 0) + 1
    sums_N2 = np.array(list(sums.values()))
    (difference,) = paired_bootstrap(sums_N2[:, 1:], sums_N2[:, :1], counts_N=np.array(list(counts.values())))
    return difference


def markdown(results: dict[str, Any]) -> str:
    lines = ["| ranker | embedding bytes | smaller | test nDCG@10 | of EASE | nDCG | epochs | s |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|---:|")
    ease = _mean(results["baselines"]["ease"], KEY)
    for name, runs in results["baselines"].items():
        lines.append(
            f"| {name} | - | - | {_spread(runs)} | {_mean(runs, KEY) / ease:.0%} | {_mean(runs, 'ndcg'):.4f} | - | - |"
        )
    for name, runs in results["techniques"].items():
        size = f"{runs[0]['embedding.bytes']:,} | {_mean(runs, 'embedding.ratio'):.1f}x"
        cost = f"{_mean(runs, 'epochs'):.0f} | {_mean(runs, 'wall_seconds'):.0f}"
        quality = f"{_spread(runs)} | {_mean(runs, KEY) / ease:.0%} | {_mean(runs, 'ndcg'):.4f}"
        lines.append(f"| {name} | {size} | {quality} | {cost} |")
    seeds = ", ".join(map(str, results["seeds"]))
    lines.append(f"\nMean ± standard deviation over the seeds {seeds}; a seed draws the split and the training run.")
    if "paired" in results:
        p = results["paired"]
        gap = f"{p['mean']:+.4f} [{p['low']:+.4f}, {p['high']:+.4f}]"
        lines.append(f"{PAIR[0]} minus {PAIR[1]}, same bytes, {p['users']:,} users: {gap} (95%, users resampled).")
    return "\n".join(lines)


def _mean(runs: list[dict[str, float]], key: str) -> float:
    return statistics.fmean(run[key] for run in runs)


def _spread(runs: list[dict[str, float]]) -> str:
    values = [run[KEY] for run in runs]
    deviation = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{deviation}"


def collect(runs: dict[str, list[Path]], seeds: Sequence[int]) -> dict[str, Any]:
    """What the table shows, from the runs' own summaries."""
    found = {
        name: [json.loads((run / "summary.json").read_text()) for run in folders] for name, folders in runs.items()
    }
    kept = ("embedding.bytes", "embedding.ratio", "model.bytes", "model.full_bytes", "epochs", "wall_seconds")
    any_technique = next(iter(found.values()))
    results: dict[str, Any] = {
        "seeds": list(seeds),
        "datasets": [summary["dataset.digest"] for summary in any_technique],
        "baselines": {
            name: [{key: s[f"baselines.{name}.{key}"] for key in (KEY, "ndcg")} for s in any_technique]
            for name in ("popularity", "ease")
        },
        "techniques": {
            name: [{KEY: s[f"test.{KEY}"], "ndcg": s["test.ndcg"], **{key: s[key] for key in kept}} for s in summaries]
            for name, summaries in found.items()
        },
    }
    if set(PAIR) <= set(runs):
        found_pair = compared(runs[PAIR[0]], runs[PAIR[1]])
        results["paired"] = {key: getattr(found_pair, key) for key in ("mean", "low", "high", "users")}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Flags it does not know are passed to every fit, e.g. --trainer.max_epochs 1.",
    )
    parser.add_argument("--input", type=Path, required=True, help="steam-200k.csv")
    parser.add_argument("--work", type=Path, required=True, help="folder of datasets and runs, kept between calls")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--techniques", nargs="+", choices=TECHNIQUES, default=list(TECHNIQUES))
    parser.add_argument("--output", type=Path, default=RESULTS, help="JSON; the table goes beside it as .md")
    args, flags = parser.parse_known_args()
    runs = {t: [fitted(args.work, args.input, seed, t, flags) for seed in args.seeds] for t in args.techniques}
    results = {**collect(runs, args.seeds), "flags": flags}
    table = markdown(results)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    args.output.with_suffix(".md").write_text(table + "\n", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
