"""The tables of quality: rankers and strong baselines on one dataset, the same users, histories and games for all.

    python benchmarks/quality.py steam --data FOLDER --work DIR

FOLDER holds the raw data (README.md tells where it comes from), DIR keeps datasets and runs: what is finished
is not run again. Everything goes through the command line that users have. Each seed draws its own training runs and,
where the split is random, its own split with its own baselines. Baselines and epochs are picked on validation, test is
looked at once. Differences are paired user by user, users resampled with their values of all seeds: the interval
covers the choice of users; the luck of a training run shows in the spread over seeds.
"""

import argparse
import dataclasses
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
RESULTS = ROOT / "benchmarks" / "results"
FULL = ["--config", "embedding/full.yaml"]
LATEST = ["--config", "hide/latest.yaml"]
REVIEWS = ["--source", "table", "--input", "steam-au-reviews/interactions_no_text.csv"]
REVIEWS += ["--user", "user_id", "--game", "item_id", "--timestamp", "date"]
CHECK_INS = ["--source", "table", "--input", "gowalla/interactions.parquet", "--user", "user", "--game", "item"]
LARGE = [*FULL, "--config", "match/pool.yaml", "--data.batch_size", "512"]
SAMPLE = ["--data.num_negatives", "4096"]
LARGE += ["--trainer.max_epochs", "20", "--trainer.check_val_every_n_epoch", "10"]


@dataclasses.dataclass(frozen=True)
class Case:
    """One dataset under one protocol.

    Attributes:
        build: flags of `data_prep build`; --input lies under --data.
        recipes: flags of `train.py fit` by name; each is compared with the best baseline.
        pairs: names (A, B) that are compared with one another, A minus B.
        metric: the metric that is compared.
        own_split: whether a seed draws its own split.
    """

    build: list[str]
    recipes: dict[str, list[str]]
    pairs: list[tuple[str, str]]
    metric: str = "ndcg@10"
    own_split: bool = True


RANKNET, CLASSIFIER = ["--config", "ranknet.yaml"], ["--config", "classifier.yaml"]
HEADS = {"classifier, full table": [*CLASSIFIER, *FULL], "RankNet, full table": [*RANKNET, *FULL]}
SAME = [("RankNet, full table", "classifier, full table")]
NO_GRADES = ["--model.init_args.graded_weight", "0", "--data.num_graded", "0"]
TIMED = {"classifier, full table": [*CLASSIFIER, *FULL, *LATEST]}
TIMED["RankNet, full table"] = [*RANKNET, *FULL, *LATEST, *NO_GRADES]
MIXTURE = ["--config", "match/mixture.yaml", "--data.keep_share", "[0.3, 1.0]"]
LOSSES = {"RankNet's loss": [*RANKNET, *FULL]}
# where all games are candidates, sampled softmax is RankNet's loss and gBCE is BCE: the same runs to the last digit
LOSSES |= {f"{loss} loss": [*RANKNET, *FULL, "--config", f"loss/{loss}.yaml"] for loss in ("lambdarank", "bce", "bpr")}
TASTES = {name: [*words, *MIXTURE] for name, words in HEADS.items()}
CASES = {
    "steam": Case(
        ["--source", "steam200k", "--input", "steam-200k/steam-200k.csv"],
        {**HEADS, "RankNet, MEmCom 4x": RANKNET},
        SAME,
    ),
    "steam-losses": Case(
        ["--source", "steam200k", "--input", "steam-200k/steam-200k.csv"],
        LOSSES,
        [("RankNet's loss", name) for name in LOSSES if name != "RankNet's loss"],
    ),
    "steam-au-last": Case([*REVIEWS, "--split", "leave-last-out"], TIMED, SAME, own_split=False),
    "steam-au-cut": Case([*REVIEWS, "--split", "time-cut"], TIMED, SAME, own_split=False),
    "gowalla": Case(
        [*CHECK_INS, "--split", "column:split"],
        {
            "RankNet, full table": [*RANKNET, *LARGE, *SAMPLE, *NO_GRADES],
            # the width of the papers on this split (LightGCN's) instead of validation's choice
            "RankNet, width 64": [*RANKNET, *LARGE, *SAMPLE, *NO_GRADES, "--model.init_args.dim", "64"],
            "classifier, width 64": [*CLASSIFIER, *LARGE, "--model.init_args.dim", "64"],
        },
        [],
        metric="ndcg@20",
        own_split=False,
    ),
    "synthetic": Case(["--source", "synthetic"], TASTES, SAME),
    "synthetic-200k": Case(["--source", "synthetic", "--users", "200000"], TASTES, SAME),
}


class Work:
    """The folder that keeps what is finished; a thing's name appears in it when the thing is whole.

    Args:
        case: what is measured.
        data: folder of the raw data.
        folder: of this case alone.
    """

    def __init__(self, case: Case, data: Path, folder: Path) -> None:
        self.case, self.data, self.folder = case, data.resolve(), folder.resolve()

    def dataset(self, seed: int) -> Path:
        """Return the dataset of a seed, built where it is not there yet."""
        path = self._split(seed) / "dataset"
        if not path.exists():
            words = [str(self.data / word) if flag == "--input" else word for flag, word in _flags(self.case.build)]
            command(["-m", "data_prep", "build", *words, "--output", str(path), "--seed", str(seed)], ROOT)
        return path

    def baselines(self, seed: int) -> dict[str, Path]:
        """Return the folders of all baselines on the dataset of a seed."""
        done = self._split(seed) / "baselines"
        if not done.exists():
            words = ["-m", "memcom_rank", "baselines", "--data.path", str(self.dataset(seed))]
            self._made(done, [*words, "--metric", self.case.metric], "*-baselines")
        return {path.name: path for path in sorted(done.iterdir()) if (path / "users_test.parquet").exists()}

    def fitted(self, seed: int, name: str, flags: Sequence[str]) -> Path:
        """Return the run folder of a recipe."""
        done = self.folder / f"seed-{seed}" / name.lower().replace(", ", "-").replace(" ", "-")
        if not done.exists():
            own = ["--seed_everything", str(seed), "--data.path", str(self.dataset(seed))]
            self._made(done, [str(ROOT / "train.py"), "fit", *self.case.recipes[name], *own, *flags], "*-fit")
        return done

    def _split(self, seed: int) -> Path:
        return self.folder / (f"seed-{seed}" if self.case.own_split else "all-seeds")

    def _made(self, done: Path, words: Sequence[str], pattern: str) -> None:
        place = done.parent / f"{done.name}.unfinished"
        place.mkdir(parents=True, exist_ok=True)
        before = set(place.glob(f"runs/{pattern}"))
        command(words, place)
        (run,) = set(place.glob(f"runs/{pattern}")) - before
        run.rename(done)


def _flags(words: Sequence[str]) -> list[tuple[str, str]]:
    """Pair each word with the one before it."""
    return list(zip(["", *words], words, strict=False))


def command(words: Sequence[str], folder: Path) -> None:
    print(f"--- {' '.join(words)}", flush=True)
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "WANDB_MODE": "disabled", "PYTHONPATH": paths}
    subprocess.run([sys.executable, *words], cwd=folder, env=environment, check=True)


def compared(first: Sequence[Path], second: Sequence[Path], metric: str) -> Difference:
    """Return what going from `second` to `first` changes, over all users and the seeds in which they were tested."""
    sums: dict[Any, NDArray[np.float64]] = {}
    counts: dict[Any, int] = {}
    for one, two in zip(first, second, strict=True):
        mine, theirs = (pq.read_table(run / "users_test.parquet", columns=["user", metric]) for run in (one, two))
        if mine["user"] != theirs["user"]:
            raise SystemExit(f"{one} and {two} were not tested on the same users")
        for user, *values in zip(*(column.to_pylist() for column in (*mine.columns, theirs[metric])), strict=True):
            sums[user] = sums.get(user, 0.0) + np.array(values)
            counts[user] = counts.get(user, 0) + 1
    sums_N2 = np.array(list(sums.values()))
    (difference,) = paired_bootstrap(sums_N2[:, 1:], sums_N2[:, :1], counts_N=np.array(list(counts.values())))
    return difference


def collect(case: Case, rivals: dict[str, list[Path]], runs: dict[str, list[Path]]) -> dict[str, Any]:
    """Return what the table shows, from the runs' own summaries."""
    kept = ("embedding.bytes", "embedding.ratio", "model.bytes", "epochs", "wall_seconds")
    folders = {**rivals, **runs}
    summaries = {name: [json.loads((run / "summary.json").read_text()) for run in folders[name]] for name in folders}
    values = {name: [float(summary[f"test.{case.metric}"]) for summary in summaries[name]] for name in folders}
    best = max(rivals, key=lambda name: statistics.fmean(values[name]))
    pairs = [*((name, best) for name in runs), *(pair for pair in case.pairs if set(pair) <= set(runs))]
    any_run = summaries[next(iter(runs))]
    bayes = [s[f"synthetic.bayes.{case.metric}"] for s in any_run if f"synthetic.bayes.{case.metric}" in s]
    return {
        "metric": case.metric,
        "datasets": [summary["dataset.digest"] for summary in any_run],
        "best_possible": statistics.fmean(bayes) if bayes else None,
        "baselines": {name: {"values": values[name]} for name in rivals},
        "recipes": {
            name: {"values": values[name], **{key: statistics.fmean(s[key] for s in summaries[name]) for key in kept}}
            for name in runs
        },
        "pairs": [_pair(a, b, compared(folders[a], folders[b], case.metric)) for a, b in pairs],
    }


def _pair(a: str, b: str, found: Difference) -> dict[str, Any]:
    numbers = {key: getattr(found, key) for key in ("mean", "low", "high", "users")}
    relative = {f"{key}_percent": 100 * numbers[key] / found.mean_a for key in ("mean", "low", "high")}
    return {"a": a, "b": b, **numbers, **relative}


def markdown(name: str, found: dict[str, Any], seeds: Sequence[int]) -> str:
    rows = {**found["baselines"], **found["recipes"]}
    best = max(statistics.fmean(row["values"]) for row in found["baselines"].values())
    lines = [f"| {name} | embedding bytes | whole model | test {found['metric']} | of the best baseline | epochs | s |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for title, row in rows.items():
        size = f"{row['embedding.bytes']:,.0f} | {row['model.bytes']:,.0f}" if "epochs" in row else "- | -"
        cost = f"{row['epochs']:.0f} | {row['wall_seconds']:.0f}" if "epochs" in row else "- | -"
        share = statistics.fmean(row["values"]) / best
        lines.append(f"| {title} | {size} | {_spread(row['values'])} | {share:.1%} | {cost} |")
    if found["best_possible"] is not None:
        lines.append(
            f"| best possible | - | - | {found['best_possible']:.4f} | {found['best_possible'] / best:.1%} | - | - |"
        )
    lines.append(f"\nMean ± standard deviation over the seeds {', '.join(map(str, seeds))}. Paired over users:\n")
    lines.append("| A | minus B | difference | relative, 95% | A is |")
    lines.append("|---|---|---:|---:|---|")
    for p in found["pairs"]:
        verdict = "better" if p["low"] > 0 else "worse" if p["high"] < 0 else "not resolved"
        interval = f"{p['mean_percent']:+.1f}% [{p['low_percent']:+.1f}%, {p['high_percent']:+.1f}%]"
        lines.append(f"| {p['a']} | {p['b']} | {p['mean']:+.4f} | {interval} | {verdict} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    deviation = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{deviation}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Flags it does not know are passed to every fit, e.g. --trainer.max_epochs 1.",
    )
    parser.add_argument("case", choices=CASES, help="dataset and protocol")
    parser.add_argument(
        "--data", type=Path, default=Path(), help="folder of the raw data (default: here; synthetic worlds need none)"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of datasets and runs, kept between calls")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--recipes", nargs="+", default=[], metavar="NAME", help="some of the case's (default: all)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of quality_CASE.json and .md")
    args, flags = parser.parse_known_args()
    case = CASES[args.case]
    if unknown := set(args.recipes) - set(case.recipes):
        parser.error(f"unknown recipes {sorted(unknown)}; {args.case} has: {', '.join(case.recipes)}")
    work = Work(case, args.data, args.work / args.case)
    runs = {t: [work.fitted(s, t, flags) for s in args.seeds] for t in args.recipes or case.recipes}
    by_seed = [work.baselines(seed) for seed in args.seeds]
    rivals = {name: [found[name] for found in by_seed] for name in by_seed[0]}
    results = {"seeds": args.seeds, "flags": flags, **collect(case, rivals, runs)}
    table = markdown(args.case, results, args.seeds)
    args.output.mkdir(parents=True, exist_ok=True)
    output = args.output / f"quality_{args.case.replace('-', '_')}.json"
    output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    output.with_suffix(".md").write_text(table + "\n", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
