"""Callbacks room (floor 4): opens the W&B run without ever asking or hanging: online when logged in, else offline."""

import os

import wandb
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

_OFFLINE = {"mode": "offline", "settings": wandb.Settings(silent=True)}  # the closing table says how to sync


@rank_zero_only
def open_wandb_run(logger: WandbLogger) -> None:
    """Start the run of `logger`, on rank 0.

    WANDB_MODE decides where it is set; else the run is online when somebody is logged in, and offline when nobody is
    or the server cannot be reached. `val/*` is drawn over epochs.
    """
    start = logger._wandb_init  # what the logger will pass to wandb.init
    start.pop("anonymous", None)  # withdrawn by W&B; Lightning still sends it, and every run would warn
    if "WANDB_MODE" not in os.environ and not wandb.login(prompt=False):
        start.update(_OFFLINE)
    try:
        run = logger.experiment
    except wandb.errors.CommError as error:
        print(f"W&B cannot be reached ({error}); this run is logged offline", flush=True)
        start.update(_OFFLINE)
        run = logger.experiment
    run.define_metric("val/*", step_metric="epoch")


def close_wandb_run() -> None:
    """Finish the run, so that nothing waits at the end of the process."""
    if wandb.run is not None:
        wandb.run.finish()
