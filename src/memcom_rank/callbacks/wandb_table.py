"""Callbacks room (floor 4): a comparison's results -> one W&B run of their own, in the group of its cells."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import wandb
import yaml
from pytorch_lightning.loggers import WandbLogger

from memcom_rank.callbacks.run_config import CONFIG_FILE
from memcom_rank.callbacks.wandb_run import close_wandb_run, open_wandb_run


def log_comparison(output: Path, run: Path) -> str | None:
    """Log results.parquet as a table, and the plot where there is one; return where, unless W&B is disabled.

    Args:
        output: folder of the comparison; its name is the group.
        run: run folder of a cell, whose project is taken.
    """
    table = pq.read_table(output / "results.parquet")
    rows = [list(row.values()) for row in table.to_pylist()]
    logger = WandbLogger(**_place(run), name=output.name, group=output.name, job_type="compare", save_dir=str(output))
    open_wandb_run(logger)
    try:
        logged: dict[str, Any] = {"results": wandb.Table(columns=table.column_names, data=rows)}
        if (plot := output / "pareto.png").exists():
            logged["pareto"] = wandb.Image(str(plot))
        logger.experiment.log(logged)
        made = logger.experiment
        if made.disabled:
            return None
        return f"offline; to upload: wandb sync {Path(made.dir).parent}" if made.offline else str(made.url)
    finally:
        close_wandb_run()


def _place(run: Path) -> dict[str, Any]:
    """Return project and entity of a run's own logger."""
    loggers = yaml.safe_load((run / CONFIG_FILE).read_text(encoding="utf-8"))["trainer"]["logger"]
    for logger in loggers if isinstance(loggers, list) else [loggers]:
        if logger["class_path"].endswith("WandbLogger"):
            return {key: logger["init_args"].get(key) for key in ("project", "entity")}
    return {}
