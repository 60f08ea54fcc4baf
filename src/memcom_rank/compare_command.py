"""Command line (floor 5): `python -m memcom_rank compare`, techniques x ratios x seeds on one dataset.

Takes a request -> runs what is not finished yet through train.py, cell by cell in processes of their own, and keeps
results.parquet, results.md and the plot up to date.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from memcom_rank.compare.alone import alone
from memcom_rank.compare.cells import Comparison, plan
from memcom_rank.compare.display import Display, summary_words
from memcom_rank.compare.markdown import RESULTS_PAGE, write_page
from memcom_rank.compare.pareto import PLOT_FILES, check_plots, write_plots
from memcom_rank.compare.results import write_results
from memcom_rank.compare.schedule import Launch, Program, run_cells
from memcom_rank.compare.shelf import FAILED, FINISHED, INFEASIBLE, Result, Shelf
from memcom_rank.compare_config import Request, comparison_of, read_request
from memcom_rank.contract.errors import ConfigError, DatasetError
from memcom_rank.contract.manifest import MANIFEST_FILE

CHECKOUT = Path(__file__).resolve().parents[2]
TRAIN = CHECKOUT / "train.py"
CONFIGS = CHECKOUT / "configs"


def compare(config: str, given: Mapping[str, Any], flags: Sequence[str], *, report: bool) -> tuple[str, int]:
    """Run a comparison, or what is left of it; return the closing words and the exit code, 1 where a cell failed.

    Args:
        config: name of a YAML file as `configs/compare.yaml`.
        given: keys of it to be overruled.
        flags: of every fit, beside those of the file.
        report: run nothing; make the outputs from what is there.

    Raises:
        ConfigError: a wrong request, cells of other settings, or a package that is missing.
        DatasetError: no dataset.
        WriteError: an output cannot be written.
    """
    check_plots()
    request = read_request(config, given, flags, CONFIGS)
    if not report:
        _check_checkout()
        plan(comparison_of(request, CONFIGS, running=False))  # names are looked up before anything is built
        build_missing(request)
    comparison = comparison_of(request, CONFIGS, running=not report)
    cells, shelf = plan(comparison), Shelf(comparison.output)
    if report and not shelf.folder.exists():
        raise ConfigError(
            f"no comparison in '{comparison.output}'", wanted="cells that were run", fix="run it without --report"
        )
    with contextlib.nullcontext(()) if report else alone(comparison.output) as inherited:
        shelf.check(cells)
        gpus = [] if report else visible_gpus()
        slots = request.processes or max(1, len(gpus))
        display = Display(
            cells, shelf.read, comparison.metric, slots, sys.stdout, lambda results: write(results, comparison)
        )
        write(display.results, comparison)
        left = [r.cell for r in display.results if not report and r.status not in (FINISHED, INFEASIBLE)]
        if not report:
            print(_opening(comparison, display.results, slots), flush=True)
        try:
            with _stoppable():
                run_cells(left, shelf, launcher(comparison.output.name, gpus, slots, inherited), slots, display)
        except KeyboardInterrupt:
            return f"stopped; {summary_words(display.results)}. The same command goes on from here.", 1
        finally:
            display.close()
    logged = _log_table(display.results, comparison) if left else []
    failed = any(result.status == FAILED for result in display.results)
    return "\n".join([_closing(display.results, comparison), *logged]), int(failed)


def write(results: Sequence[Result], comparison: Comparison) -> None:
    """Write all outputs anew.

    Raises:
        ConfigError: the runs do not have the metric.
        WriteError: an output cannot be written.
    """
    write_results(results, comparison)
    write_page(results, comparison)
    write_plots(results, comparison)


def build_missing(request: Request) -> None:
    """Build the dataset of a request where it is not there and the request says how.

    Raises:
        DatasetError: data_prep could not; it has said why.
    """
    if request.build is None or (request.path / MANIFEST_FILE).exists():
        return
    words = ["-m", "data_prep", "build", *request.build, "--output", str(request.path)]
    print(f"building the dataset: python {' '.join(words)}", flush=True)
    if subprocess.run([sys.executable, *words], env=_environment({}), check=False).returncode:
        raise DatasetError(
            f"'{request.path}' was not built", wanted="flags that `data_prep build` takes", fix="correct data.build"
        )


def visible_gpus() -> list[str]:
    """Return the names by which CUDA knows the GPUs that this process may use."""
    import torch

    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return named[: torch.cuda.device_count()] or [str(number) for number in range(torch.cuda.device_count())]


def launcher(group: str, gpus: Sequence[str], slots: int, inherited: Sequence[int]) -> Launch:
    """Return what starts train.py: on the GPU of its slot, or with its share of the cores.

    Args:
        group: the W&B group of the runs.
        gpus: by CUDA's names; none for the CPU.
        slots: how many run at once.
        inherited: files that they hold open.
    """

    def launch(words: Sequence[str], folder: Path, title: str, slot: int) -> Program:
        own = {"WANDB_RUN_GROUP": group, "WANDB_NAME": title}
        if gpus:
            own["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
        elif slots > 1 and "OMP_NUM_THREADS" not in os.environ:
            own["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // slots))
        return Program([sys.executable, str(TRAIN), *words], folder, _environment(own), inherited)

    return launch


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment, with this very package in front."""
    paths = [str(CHECKOUT / "src"), str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **own}


def _check_checkout() -> None:
    if not TRAIN.is_file():
        raise ConfigError(
            f"no train.py in '{CHECKOUT}'",
            wanted="a checkout of the project, which the package was installed from",
            fix="install it from there: pip install -e '.[plot]'",
        )


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Turn a polite request to end into an exception, so that processes are stopped with this one."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    asked = [signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])]
    asked = [number for number in asked if signal.getsignal(number) != signal.SIG_IGN]  # nohup
    before = [signal.signal(number, stop) for number in asked]
    try:
        yield
    finally:
        for number, handler in zip(asked, before, strict=True):
            signal.signal(number, handler)


def _log_table(results: Sequence[Result], comparison: Comparison) -> list[str]:
    """Log one table to W&B, where the runs have logged to W&B; say where it is."""
    logged = next((result.run for result in results if result.run is not None and "wandb.run" in result.summary), None)
    if logged is None:
        return []
    from memcom_rank.callbacks.wandb_table import log_comparison

    where = log_comparison(comparison.output, logged)
    return [f"W&B         {where}"] if where else []


def _opening(comparison: Comparison, results: Sequence[Result], slots: int) -> str:
    return (
        f"dataset  {comparison.data}\ncells    {summary_words(results)}; {slots} at once\noutput   {comparison.output}"
    )


def _closing(results: Sequence[Result], comparison: Comparison) -> str:
    page = (comparison.output / RESULTS_PAGE).read_text(encoding="utf-8")
    unwell = [
        f"log         {Shelf(comparison.output).unfinished(r.cell)}/log.txt" for r in results if r.status == FAILED
    ]
    files = " ".join((RESULTS_PAGE, "results.parquet", *PLOT_FILES))
    return "\n".join(["", page, summary_words(results), f"output      {comparison.output}: {files}", *unwell])
