"""Command line of the ETL: `python -m data_prep build ...` and `python -m data_prep describe DATASET`.

Only argparse and the options are loaded here, so that --help answers at once.
"""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep.options import SOURCES, SPLITS, Options
from memcom_rank.contract.errors import DatasetError, MemcomRankError
from memcom_rank.contract.program import ended

_EXAMPLES = """\
examples:
  A synthetic log, nothing to download:
    python -m data_prep build --source synthetic --output data/synthetic
  Steam Video Games of Kaggle:
    python -m data_prep build --source steam200k --input steam-200k.csv --output data/steam
  Your own log, a row per play or purchase, with hours and a time:
    python -m data_prep build --source table --input plays.csv --output data/mine \\
        --user user_id --game item_id --title name --engagement hours --timestamp played_at
  Something to tell of users from their games (see docs/data.md):
    python -m data_prep build --source table --input log.csv --user user --game game --label churn --output data/churn
  A log that is already split:
    python -m data_prep build --source table --input log.parquet --output data/mine \\
        --user user --game item --split column:split
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0, or 1 after an error that was printed (argparse itself exits with 2)."""
    arguments = vars(_parser().parse_args(argv))
    return ended(lambda: _run(arguments))


def _run(arguments: dict[str, Any]) -> int:
    try:
        if arguments.pop("command") == "describe":
            _check_tables(arguments["dataset"])
            return _describe(arguments["dataset"])
        return _build(Options(**arguments))
    except MemcomRankError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _build(options: Options) -> int:
    from data_prep.pipeline import run

    manifest = run(options)
    _describe(options.output)
    config = "classifier_label.yaml" if manifest.labels else "ranknet.yaml"
    print(f"\nnext: python train.py fit --config {config} --data.path {options.output}")
    return 0


def _check_tables(dataset: Path) -> None:
    """Refuse tables that are not, to the last value, what was built."""
    from memcom_rank.contract.manifest import content_digest, read_manifest

    wanted = read_manifest(dataset).digest
    try:
        found = content_digest(dataset)
    except (OSError, ValueError) as error:  # Arrow's are among them
        found = f"that cannot be read: {error}"
    if found != wanted:
        raise DatasetError(
            f"'{dataset}' holds tables {found}", wanted=f"those of its manifest: {wanted}", fix="build it again"
        )


def _describe(dataset: Path) -> int:
    from data_prep.describe import describe
    from data_prep.leakage import leakage_report
    from memcom_rank.contract.manifest import read_manifest

    manifest = read_manifest(dataset)
    report = leakage_report(dataset, manifest)
    print(f"{describe(manifest)}\n\n{report}", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_prep",
        description="Turn raw play logs into a Parquet dataset for train.py.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="build | describe")
    describe = commands.add_parser("describe", help="print what a dataset is, how large, and what could leak")
    describe.add_argument("dataset", type=Path, metavar="DATASET", help="dataset folder, e.g. data/steam")
    _add_build(
        commands.add_parser(
            "build",
            help="make a dataset folder",
            description="Make a dataset folder from a raw play log.",
            epilog=_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    return parser


def _add_build(build: argparse.ArgumentParser) -> None:
    default = {field.name: field.default for field in dataclasses.fields(Options)}
    build.add_argument("--source", required=True, choices=SOURCES, help="where the log comes from")
    build.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder to make, e.g. data/steam")
    build.add_argument("--input", type=Path, metavar="FILE", help="the raw log (not for synthetic)")
    build.add_argument("--overwrite", action="store_true", help="replace a dataset that is already at --output")

    columns = build.add_argument_group("columns of --source table")
    for name, what in {
        "user": "user ids, integers or text (required)",
        "game": "game ids, integers or text (required)",
        "title": "game titles (without it a game is called by its id)",
        "engagement": "hours played; empty or 0 where never played",
        "timestamp": "when: integers, dates or ISO 8601 text; rows without it are dropped and counted",
        "label": "a fact of the user to be told from its games (genre, churn, country); whole users are then held out",
    }.items():
        columns.add_argument(f"--{name}", metavar="COL", help=what)

    rules = build.add_argument_group("rules")
    rules.add_argument(
        "--split",
        metavar="|".join([*SPLITS, "column:NAME"]),
        help="what is held out for evaluation. holdout: two random games of each user; leave-last-out: the last two by"
        " time; time-cut: the last tenth of all rows; users (with --label): a tenth of the users for each; column:NAME:"
        " as published (train, validation, test). Default: users with --label, leave-last-out with --timestamp, else"
        " holdout",
    )
    for name, what in {
        "min_games": "distinct games a user needs to be evaluated (holdout, leave-last-out)",
        "grade_bins": "play-time grades above 'owned and never played'",
        "pairs_per_user": "most graded pairs kept per user",
        "seed": "seed of split, pairs and the synthetic world",
    }.items():
        flag = "--" + name.replace("_", "-")
        rules.add_argument(flag, type=int, default=default[name], metavar="N", help=f"{what} (default {default[name]})")

    world = build.add_argument_group("size of --source synthetic")
    for name in ("users", "games"):
        text = f"number of {name} (default {default[name]:,})"
        world.add_argument(f"--{name}", type=int, default=default[name], metavar="N", help=text)
