"""How long a person waits: the ETL of Steam-200k, the two --help screens, an epoch of the shipped recipe.

    python benchmarks/etl_speed.py --input steam-200k.csv --output benchmarks/results/etl_speed.json

Whole commands, start-up included; the fastest of the repeats, as anything else on the machine only adds. An epoch is
the fastest of three, validation included, as the run itself printed it.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TRAIN = str(ROOT / "train.py")


def run(words: Sequence[str], folder: Path) -> tuple[float, str]:
    """Seconds and standard output of a command of this project."""
    env = {**os.environ, "WANDB_MODE": "disabled", "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *words], cwd=folder, env=env, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, done.stdout


def epoch_seconds(output: str) -> list[float]:
    """The seconds of each epoch line that a run prints where no terminal is."""
    return [float(seconds) for seconds in re.findall(r"^epoch .* ([\d.]+) s$", output, flags=re.MULTILINE)]


def measure(source: Path, repeats: int, flags: Sequence[str]) -> dict[str, float]:
    build = ["-m", "data_prep", "build", "--source", "steam200k", "--input", str(source.resolve()), "--overwrite"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = {
            "python -m data_prep --help": ["-m", "data_prep", "--help"],
            "python train.py --help": [TRAIN, "--help"],
            "python train.py fit --help": [TRAIN, "fit", "--help"],
            "python -m data_prep build (steam200k)": [*build, "--output", "steam"],
        }
        found = {name: min(run(words, folder)[0] for _ in range(repeats)) for name, words in commands.items()}
        fit = [TRAIN, "fit", "--config", "ranknet.yaml", "--data.path", "steam", "--trainer.max_epochs", "3"]
        seconds, output = run([*fit, *flags], folder)
        found["one epoch of ranknet.yaml on it"] = min(epoch_seconds(output))
        found["fit of three epochs, with its test and the baselines"] = seconds
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Flags it does not know are passed to the fit.",
    )
    parser.add_argument("--input", type=Path, required=True, help="steam-200k.csv")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path)
    args, flags = parser.parse_known_args()
    found = measure(args.input, args.repeats, flags)
    print("\n".join(["| what | seconds |", "|---|---:|", *(f"| {name} | {s:.2f} |" for name, s in found.items())]))
    if args.output:
        machine = {"machine": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps({**machine, "seconds": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
