"""What 32 times fewer bytes cost RankNet, by the number of games: synthetic worlds of 2,000 games and more.

    python benchmarks/vocabulary_curve.py --work DIR

Each world is compared by `python -m memcom_rank compare`: the full table and the technique that `embedding/auto.yaml`
picks, the same training for both, about as many steps in each world. Games that nobody plays are in no dataset: the
larger a world, the more users it takes to see its games. DIR keeps worlds and runs: what is finished is not run again.
The change is relative, paired over users, with a 95% interval; "best possible" is Bayes, who knows the world.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from memcom_rank.compare import paired_bootstrap

ROOT = Path(__file__).resolve().parents[1]
METRIC, TECHNIQUE = "ndcg@10", "auto"
WIDTH, CANDIDATES = 64, 4096
TRAINING = ["--config", "match/mixture.yaml", "--data.keep_share", "[0.3, 1.0]", "--model.init_args.dim", str(WIDTH)]
TRAINING += ["--data.num_negatives", str(CANDIDATES), "--data.num_graded", "0", "--model.init_args.graded_weight", "0"]
WORLDS = ["2000:100000", "10000:100000", "50000:100000", "200000:100000", "500000:300000"]


def compared(work: Path, games: int, users: int, ratio: float, flags: Sequence[str]) -> dict[str, Any]:
    """Compare in one world, and return its point of the curve."""
    half = max(round(1_000_000 / users), 1)  # of the epochs: as many users in all, whatever the world
    epochs = ["--trainer.max_epochs", str(2 * half), "--trainer.check_val_every_n_epoch", str(half)]
    place = work / f"{games}-games-{users}-users"
    place.mkdir(parents=True, exist_ok=True)
    comparison = {
        "data": {
            "path": str(place / "data"),
            "build": ["--source", "synthetic", "--games", str(games), "--users", str(users)],
        },
        "heads": ["ranknet.yaml"],
        "techniques": [TECHNIQUE],
        "ratios": [ratio],
        "seeds": [1],
        "flags": [*TRAINING, *epochs, *flags],
        "metric": METRIC,
        "processes": 1,
        "output": str(place / "compare"),
    }
    (place / "compare.yaml").write_text(yaml.safe_dump(comparison, sort_keys=False))
    words = [sys.executable, "-m", "memcom_rank", "compare", "--config", str(place / "compare.yaml")]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run(words, cwd=ROOT, env={**os.environ, "WANDB_MODE": "disabled", "PYTHONPATH": paths}, check=True)
    played = json.loads((place / "data" / "manifest.json").read_text())["num_games"]
    return {"games": games, "users": users, "played": played, **point(place / "compare")}


def point(output: Path) -> dict[str, Any]:
    """Return what a finished comparison says, losses in percent of the full table's value."""
    rows = {row["technique"]: row for row in pl.read_parquet(output / "results.parquet").to_dicts()}
    full, small = rows["full"], rows[TECHNIQUE]
    summary = json.loads((output / small["run"] / "summary.json").read_text())
    users = [pl.read_parquet(output / row["run"] / "users_test.parquet").sort("user") for row in (full, small)]
    if not users[0]["user"].equals(users[1]["user"]):
        raise SystemExit(f"the runs in '{output}' were not tested on the same users")
    (change,) = paired_bootstrap(*(table[METRIC].to_numpy()[:, None] for table in users))
    percent = {key: 100 * getattr(change, key) / change.mean_a for key in ("mean", "low", "high")}
    kept = {"bayes": f"synthetic.bayes.{METRIC}", "ease": f"baselines.ease.{METRIC}"}
    return {
        "technique": summary["embedding.technique"],
        "bytes": small["embedding.bytes"],
        "full": full[f"test.{METRIC}"],
        "small": small[f"test.{METRIC}"],
        **percent,
        **{name: summary.get(key) for name, key in kept.items()},
    }


def markdown(points: Sequence[dict[str, Any]], ratio: float) -> str:
    head = f"embedding bytes at {ratio:g}x | best possible | full table | {ratio:g}x | change, 95%"
    lines = [f"| games of the world | users | games that are played | {head} |", "|---:" * 8 + "|"]
    for p in points:
        change = f"{p['mean']:+.1f}% [{p['low']:+.1f}%, {p['high']:+.1f}%]"
        values = f"{p['bayes']:.4f} | {p['full']:.4f} | {p['small']:.4f}"
        sizes = " | ".join(f"{p[key]:,}" for key in ("games", "users", "played", "bytes"))
        lines.append(f"| {sizes} | {values} | {change} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Flags it does not know are passed to every fit, e.g. --trainer.max_epochs 1.",
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of worlds and runs, kept between calls")
    parser.add_argument(
        "--worlds", nargs="+", default=WORLDS, metavar="GAMES:USERS", help=f"default {' '.join(WORLDS)}"
    )
    parser.add_argument("--ratio", type=float, default=32.0)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "vocabulary_curve.json")
    args, flags = parser.parse_known_args()
    points = []
    for world in args.worlds:
        games, users = map(int, world.split(":"))
        points.append(compared(args.work.resolve(), games, users, args.ratio, flags))
        args.output.write_text(json.dumps({"ratio": args.ratio, "points": points}, indent=1) + "\n")
        args.output.with_suffix(".md").write_text(markdown(points, args.ratio) + "\n")
    print(markdown(points, args.ratio))


if __name__ == "__main__":
    main()
