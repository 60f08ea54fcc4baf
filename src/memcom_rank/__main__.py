"""Command line (floor 5): `python -m memcom_rank compare|diff|baselines|export|rank|demo`, all but training.

Training is `train.py`. Only argparse and such of the standard library is loaded here, so that --help answers at once.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memcom_rank.contract.errors import ConfigError, MemcomRankError
from memcom_rank.contract.program import ended
from memcom_rank.runtime import RankerError

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

item_knn, ials and bpr need the package implicit: pip install -e '.[baselines]'
"""
_EXPORT_EXAMPLES = """\
examples:
  python -m memcom_rank export --ckpt_path runs/20260131-120000-fit --output bundle/ --bits 8
  python -m memcom_rank export --ckpt_path best --output bundle/ --bits 8 --data.path data/steam --k 20

What was trained in few bits (embedding/low_bit.yaml, ...) stays as it was trained, whatever --bits says. The packages
needed, by format: pip install -e '.[export]' (onnx), [executorch], [litert] or [coreml]
"""
_RANK_EXAMPLES = """\
examples:
  python -m memcom_rank rank bundle/ --history "Dota 2" "Portal"
  python -m memcom_rank rank bundle/ --history dota2 portl -k 3     says what it took each title for

Titles need no capitals, accents or signs, and a part of a title or a small typo will do; own ids of the dataset are
taken too. A higher score is a better game; scores only order the games of one ranking. Nothing but onnxruntime and
numpy is needed: pip install --no-deps ./memcom-rank (a checkout of it) && pip install onnxruntime numpy
"""
_DEMO_EXAMPLES = """\
examples:
  python -m memcom_rank demo bundle/                   serves the page on this machine until Ctrl-C
  python -m memcom_rank demo bundle/ --output site/    writes it as a folder, to host anywhere by https

The page ranks in the browser, with onnxruntime-web; no server sees a history. npm installs that once, into the user's
cache; from then on pages are built and shown without network.
"""
_COMPARE_EXAMPLES = """\
examples:
  python -m memcom_rank compare --config compare_smoke.yaml        all of it in a minute or two
  python -m memcom_rank compare --config compare.yaml --data.path data/steam --output runs/compare-steam
  python -m memcom_rank compare --config compare.yaml --techniques memcom mine.yaml --ratios 8 16 --seeds 1
  python -m memcom_rank compare --config compare.yaml -- --trainer.max_epochs 10 --config match/pool.yaml
  python -m memcom_rank compare --config compare.yaml --report     outputs anew, without running anything

Every cell (head, technique, ratio, seed) is one run of train.py, and the uncompressed table ('full') with the same
training is what the others are compared with. Stopped or killed, the same line goes on where it was; failed cells are
tried again. After each cell these are written anew in the output folder:
  results.md        mean and deviation over seeds, difference to full with a paired 95% interval, sizes, costs
  results.parquet   a row per cell
  pareto.png, .svg  the metric against embedding bytes
The plot needs the package matplotlib: pip install -e '.[plot]'. Copy configs/compare.yaml for one of your own.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0, or 1 after an error that was printed (argparse itself exits with 2)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # titles in letters that this terminal has not
    words, flags = _flags_apart(sys.argv[1:] if argv is None else argv)
    arguments = _parser().parse_args(words, argparse.Namespace(flags=flags))
    return ended(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    try:
        text, code = arguments.run(arguments)
        print(text, flush=True)
    except (MemcomRankError, RankerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return int(code)


def _flags_apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take off what follows `--` in `compare`: flags of train.py, which argparse would read as its own."""
    end = words.index("--") if "--" in words and words[0] == "compare" else len(words)
    return list(words[:end]), list(words[end + 1 :])


def _diff(arguments: argparse.Namespace) -> tuple[str, int]:
    from memcom_rank.compare import compare_runs

    return compare_runs(arguments.run_a, arguments.run_b, arguments.metric), 0


def _baselines(arguments: argparse.Namespace) -> tuple[str, int]:
    from memcom_rank.baselines_command import measure_baselines

    path, only = getattr(arguments, "data.path"), list(dict.fromkeys(arguments.only))
    return measure_baselines(path, only=only, metric=arguments.metric, seed=arguments.seed, runs=RUNS), 0


def _compare(arguments: argparse.Namespace) -> tuple[str, int]:
    from memcom_rank.compare_command import compare

    return compare(arguments.config, vars(arguments), arguments.flags, report=arguments.report)


def _export(arguments: argparse.Namespace) -> tuple[str, int]:
    try:
        from memcom_rank.export_command import export
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the package {error.name} is not installed",
            wanted="onnx, onnxscript, onnxruntime and huggingface_hub",
            fix="pip install -e '.[export]'",
        ) from error
    path = getattr(arguments, "data.path")
    words = {"bits": arguments.bits, "k": arguments.k, "data_path": path, "runs": RUNS}
    words |= {"format": arguments.format, "max_history": arguments.max_history}
    return export(arguments.ckpt_path, arguments.output, **words), 0


def _rank(arguments: argparse.Namespace) -> tuple[str, int]:
    from memcom_rank.rank_command import rank

    return rank(arguments.bundle, arguments.history, arguments.k), 0


def _demo(arguments: argparse.Namespace) -> tuple[str, int]:
    from memcom_rank.demo_command import demo

    return demo(arguments.bundle, arguments.output, arguments.port), 0


def _parser() -> argparse.ArgumentParser:
    raw: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(
        prog="python -m memcom_rank",
        description="Compare techniques, finished runs of train.py, and baselines; rank games from a bundle.",
        epilog=_DIFF_EXAMPLES
        + "\n"
        + _BASELINES_EXAMPLES
        + "\n"
        + _RANK_EXAMPLES
        + "\n"
        + _DEMO_EXAMPLES
        + "\nmore: python -m memcom_rank compare --help",
        **raw,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="compare|diff|baselines|export|rank|demo")
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
    baselines.add_argument("--seed", type=_seed, default=0, metavar="N", help="of ials and bpr (default: %(default)s)")
    baselines.set_defaults(run=_baselines)
    _add_export(
        commands.add_parser(
            "export",
            help="a run -> a bundle that ranks without torch",
            description="Export a trained ranker, with its catalogue, for a runtime of devices; measure it there.",
            epilog=_EXPORT_EXAMPLES,
            **raw,
        )
    )
    ranking = commands.add_parser(
        "rank",
        help="what to play next? Ranks games from a bundle, without torch",
        description="Rank the games of an exported bundle for somebody who has played some of them.",
        epilog=_RANK_EXAMPLES,
        **raw,
    )
    ranking.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder that was exported with --format onnx")
    ranking.add_argument(
        "--history", nargs="+", required=True, metavar="GAME", help="titles, or own ids of the dataset"
    )
    ranking.add_argument("-k", type=int, metavar="N", help="how many games (default: 10, or all that it returns)")
    ranking.set_defaults(run=_rank)
    page = commands.add_parser(
        "demo",
        help="a page that ranks from a bundle in the browser",
        description="Serve a page that runs an exported bundle in the browser, or write it as a folder.",
        epilog=_DEMO_EXAMPLES,
        **raw,
    )
    page.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder that was exported with --format onnx")
    page.add_argument("--output", type=Path, metavar="SITE", help="write the page to this new folder, serve nothing")
    page.add_argument("--port", type=int, default=8017, metavar="N", help="0 for any free one (default: %(default)s)")
    page.set_defaults(run=_demo)
    _add_compare(
        commands.add_parser(
            "compare",
            help="which technique, at which size? Techniques x ratios x seeds, trained and measured",
            description="Train and test techniques at several ratios and seeds, against the uncompressed table.",
            usage="python -m memcom_rank compare --config compare.yaml [options] [-- flags of every train.py fit]",
            epilog=_COMPARE_EXAMPLES,
            **raw,
        )
    )
    return parser


def _add_export(export: argparse.ArgumentParser) -> None:
    export.add_argument(
        "--ckpt_path",
        required=True,
        metavar="RUN",
        help="a run folder, a .ckpt file, or best or last of the newest run",
    )
    export.add_argument("--output", type=Path, required=True, metavar="BUNDLE", help="new folder")
    export.add_argument(
        "--format",
        choices=["onnx", "executorch", "litert", "coreml"],
        default="onnx",
        help="of the model; each but onnx has an extra of its name (default: %(default)s)",
    )
    export.add_argument(
        "--max_history", type=_count, metavar="N", help="longest history, for all formats but onnx, which has no limit"
    )
    export.add_argument(
        "--bits",
        type=int,
        choices=[32, 16, 8, 4, 2],
        default=8,
        help="per value of what was trained in fp32 (default: %(default)s)",
    )
    export.add_argument("--k", type=_count, metavar="N", help="games returned (default: 100, or all if fewer)")
    export.add_argument("--data.path", metavar="DATASET", help="dataset folder (default: that of the training)")
    export.set_defaults(run=_export)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{number} is not between 0 and {2**32 - 1}")
    return number


def _add_compare(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("--config", required=True, metavar="NAME", help="a YAML file, here or in configs/")
    compare.add_argument("--report", action="store_true", help="run nothing, write the outputs from what is there")
    over = compare.add_argument_group("instead of what the file says")
    over.add_argument("--data.path", metavar="DATASET", help="dataset folder, which is then not built")
    over.add_argument("--heads", nargs="+", metavar="NAME", help="recipes, e.g. ranknet.yaml classifier.yaml")
    over.add_argument(
        "--techniques", nargs="+", metavar="NAME", help="of configs/embedding/, or YAML files of your own"
    )
    over.add_argument("--ratios", nargs="+", type=float, metavar="R", help="times smaller than the full table")
    over.add_argument("--seeds", nargs="+", type=int, metavar="N", help="of the runs")
    over.add_argument("--metric", metavar="NAME", help="the headline, a metric of users, e.g. ndcg@10")
    over.add_argument("--processes", type=int, metavar="N", help="cells at once")
    over.add_argument("--output", metavar="DIR", help="its name is the W&B group")
    compare.set_defaults(run=_compare)


if __name__ == "__main__":
    sys.exit(main())
