"""Callbacks room (floor 4): the resolved configuration, in the run folder and in W&B."""

from pathlib import Path

import yaml
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import SaveConfigCallback
from pytorch_lightning.loggers import WandbLogger

CONFIG_FILE = "config.yaml"


class SaveRunConfig(SaveConfigCallback):
    """Writes the configuration as it was resolved, so that `--config RUN/config.yaml` repeats the run."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the file and fill the W&B run's config; Lightning calls this on rank 0 alone."""
        text = self.parser.dump(self.config, skip_none=False)
        (Path(trainer.loggers[0].log_dir or ".") / CONFIG_FILE).write_text(text, encoding="utf-8")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.config.update(yaml.safe_load(text), allow_val_change=True)
