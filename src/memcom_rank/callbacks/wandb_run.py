"""Callbacks room (floor 4): the W&B run, opened without ever asking or failing: online when logged in, else offline."""

import os

import wandb
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from memcom_rank.contract.errors import ConfigError

_MODES = ("online", "offline", "shared", "disabled", "dryrun", "run")  # what W&B takes
_QUIET = wandb.Settings(silent=True)  # the closing table says where the run is and how to sync it


@rank_zero_only
def open_wandb_run(logger: WandbLogger) -> None:
    """Start the run of `logger`, on rank 0.

    WANDB_MODE decides where it is set; else the run is online when somebody is logged in, and offline when nobody is
    or the server cannot be reached or refuses. `val/*` is drawn over epochs.

    Raises:
        ConfigError: W&B knows no such WANDB_MODE.
    """
    if (mode := os.environ.get("WANDB_MODE", "online")) not in _MODES:
        raise ConfigError(
            f"WANDB_MODE is '{mode}'",
            wanted=f"one of {', '.join(_MODES[:4])}",
            fix="unset WANDB_MODE: the run is then online where somebody is logged in, else offline",
        )
    start = logger._wandb_init  # what the logger will pass to wandb.init
    start.pop("anonymous", None)  # withdrawn by W&B; Lightning still sends it, and every run would warn
    try:
        if "WANDB_MODE" not in os.environ and not wandb.login(prompt=False):
            start["mode"] = "offline"
        if (start.get("mode") or os.environ.get("WANDB_MODE")) == "offline":
            start["settings"] = _QUIET
        run = logger.experiment
    except wandb.errors.Error as error:
        print(f"W&B cannot be used ({error}); this run is logged offline", flush=True)
        start.update(mode="offline", settings=_QUIET)
        run = logger.experiment
    run.define_metric("val/*", step_metric="epoch")


def close_wandb_run(exit_code: int = 0) -> None:
    """Finish the run, so that nothing waits at the end of the process; a code other than 0 marks it as failed."""
    if wandb.run is not None:
        wandb.run.finish(exit_code)
