"""Command line (floor 5): `python -m memcom_rank diff|baselines`, what is done beside training.

Training is `train.py`. Only argparse is loaded here, so that --help answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memcom_rank.contract.errors import MemcomRankError

BASELINES = ("popularity", "ease", "item_knn", "ials", "bpr")
RUNS = Path("runs")

_DIFF_EXAMPLES = """\
examples:
  python -m memcom_rank diff runs/20260131-120000-fit runs/20260131-130000-fit
  python -m memcom_rank diff runs/20260131-120000-fit runs/20260131-130000-fit --metric ndcg@10
  python -m memcom_rank diff runs/20260131-140000-baselines/ease runs/20260131-130000-fit
"""
_BASELINES_EXAMPLES = """\
examples:
  python -m memcom_rank baselines --data.path data/steam
  python -m memcom_rank baselines --data.path data/steam --only item_knn ials
  python -m memcom_rank baselines --data.path data/steam --metric ndcg@20 --seed 1

item_knn, ials and bpr need the package implicit: pip install 'memcom-rank[baselines]'
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0, or 1 after an error that was printed (argparse itself exits with 2)."""
    arguments = _parser().parse_args(argv)
    try:
        print(arguments.run(arguments))
    except MemcomRankError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _diff(arguments: argparse.Namespace) -> str:
    from memcom_rank.compare import compare_runs

    return compare_runs(arguments.run_a, arguments.run_b, arguments.metric)


def _baselines(arguments: argparse.Namespace) -> str:
    from memcom_rank.baselines_command import measure_baselines

    path, only = getattr(arguments, "data.path"), list(dict.fromkeys(arguments.only))
    return measure_baselines(path, only=only, metric=arguments.metric, seed=arguments.seed, runs=RUNS)


def _parser() -> argparse.ArgumentParser:
    raw: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(
        prog="python -m memcom_rank",
        description="Compare finished runs of train.py with one another and with baselines.",
        epilog=_DIFF_EXAMPLES + "\n" + _BASELINES_EXAMPLES,
        **raw,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="diff|baselines")
    diff = commands.add_parser(
        "diff",
        help="is one run better than another on the same test users?",
        description="Compare two tested runs user by user: means, paired difference, 95% interval, verdict.",
        epilog=_DIFF_EXAMPLES,
        **raw,
    )
    diff.add_argument("run_a", type=Path, metavar="RUN_A", help="run folder to start from")
    diff.add_argument("run_b", type=Path, metavar="RUN_B", help="run folder that may be better, on the same dataset")
    diff.add_argument("--metric", metavar="NAME", help="one metric alone, e.g. ndcg@10 (default: all)")
    diff.set_defaults(run=_diff)
    baselines = commands.add_parser(
        "baselines",
        help="how good are simple recommenders on this dataset?",
        description="Tune each baseline on validation, test it once, and write a folder that diff can compare.",
        epilog=_BASELINES_EXAMPLES,
        **raw,
    )
    baselines.add_argument(
        "--data.path", default="data/synthetic", metavar="DATASET", help="dataset folder (default: %(default)s)"
    )
    baselines.add_argument(
        "--only", nargs="+", choices=BASELINES, default=[], metavar="NAME", help=f"of {', '.join(BASELINES)}"
    )
    baselines.add_argument(
        "--metric", default="ndcg@10", metavar="NAME", help="picks the knobs on validation (default: %(default)s)"
    )
    baselines.add_argument("--seed", type=int, default=0, metavar="N", help="of ials and bpr (default: %(default)s)")
    baselines.set_defaults(run=_baselines)
    return parser


if __name__ == "__main__":
    sys.exit(main())
