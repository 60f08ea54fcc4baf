"""Command line (floor 5): `python -m memcom_rank diff RUN_A RUN_B`, what is done with finished runs.

Training is `train.py`. Only argparse is loaded here, so that --help answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from memcom_rank.contract.errors import MemcomRankError

_EXAMPLES = """\
examples:
  python -m memcom_rank diff runs/20260131-120000-fit runs/20260131-130000-fit
  python -m memcom_rank diff runs/20260131-120000-fit runs/20260131-130000-fit --metric ndcg@10
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0, or 1 after an error that was printed (argparse itself exits with 2)."""
    arguments = _parser().parse_args(argv)
    from memcom_rank.compare import compare_runs

    try:
        print(compare_runs(arguments.run_a, arguments.run_b, arguments.metric))
    except MemcomRankError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m memcom_rank",
        description="Work with finished runs of train.py.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="diff")
    diff = commands.add_parser(
        "diff",
        help="is one run better than another on the same test users?",
        description="Compare two tested runs user by user: means, paired difference, 95% interval, verdict.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    diff.add_argument("run_a", type=Path, metavar="RUN_A", help="run folder to start from")
    diff.add_argument("run_b", type=Path, metavar="RUN_B", help="run folder that may be better, on the same dataset")
    diff.add_argument("--metric", metavar="NAME", help="one metric alone, e.g. ndcg@10 (default: all)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
