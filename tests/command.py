"""The command line, run inside this process as `python train.py WORDS...` would be in a folder."""

import contextlib
import io
import os
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import wandb

import train
from memcom_rank.cli import main

DIM = ("--model.init_args.dim", "16")
SMALL = (*DIM, "--model.init_args.match.init_args.match_dim", "8")


class Ran(NamedTuple):
    """What a command did.

    Attributes:
        status: exit status.
        out: what it wrote to standard output.
        err: what it wrote to standard error.
        folder: the run folder it made, if any.
    """

    status: int
    out: str
    err: str
    folder: Path | None


def run(cwd, *words, **environment):
    """Run a command in the folder `cwd`; the environment is as before afterwards."""
    runs = Path(cwd, "runs")
    before = set(runs.glob("2*"))
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ, {"WANDB_MODE": "disabled", **environment}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        if os.environ["WANDB_MODE"] != "disabled":
            wandb.teardown()  # W&B reads its mode once a process
        try:
            status = main(train.CONFIGS, train.build_default, [str(word) for word in words])
        except SystemExit as end:
            status = end.code
        if os.environ["WANDB_MODE"] != "disabled":
            wandb.teardown()
    made = sorted(set(runs.glob("2*")) - before)
    assert len(made) <= 1
    return Ran(status, out.getvalue(), err.getvalue(), made[0] if made else None)


def fit(cwd, dataset, *words, recipe="ranknet.yaml", epochs=2, small=SMALL, **environment):
    """Fit a shipped recipe, made small; `words` come last and overrule it."""
    shared = ("--config", recipe, "--data.path", dataset, "--trainer.max_epochs", epochs)
    ran = run(cwd, "fit", *shared, *small, *words, **environment)
    assert ran.status == 0, ran.err
    return ran
