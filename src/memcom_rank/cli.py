"""Command line (floor 5): `train.py fit|validate|test|predict`, a LightningCLI with this project's doors."""

import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from memcom_rank.arguments import expand
from memcom_rank.callbacks import PredictionWriter, RunReport, SaveRunConfig, Throughput, progress_bar
from memcom_rank.callbacks.wandb_run import close_wandb_run, open_wandb_run
from memcom_rank.contract.errors import MemcomRankError
from memcom_rank.data import RankingData

RUNS = Path("runs")


class RankCLI(LightningCLI):
    """fit ends with one test of its best checkpoint; every command writes a new folder under `runs/`.

    Args:
        configs: folder of the shipped configs.
        prepare: called on every rank with the dataset's path before it is read.
        args: the command line without the program; None takes it from the process.
    """

    def __init__(self, configs: Path, prepare: Callable[[Path], None], args: list[str] | None = None) -> None:
        self.configs, self.prepare = configs, prepare
        super().__init__(
            LightningModule,
            RankingData,
            subclass_mode_model=True,
            auto_configure_optimizers=False,
            save_config_callback=SaveRunConfig,
            save_config_kwargs={"save_to_log_dir": False},
            args=args,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link the dataset's facts to the model and the run's seed to the data."""
        parser.link_arguments("data.num_ids", "model.init_args.num_ids", apply_on="instantiate")
        parser.link_arguments("seed_everything", "data.seed", compute_fn=int)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Spell out what the user typed in short, then parse it."""
        words = sys.argv[1:] if args is None else [str(word) for word in args]
        self.config = parser.parse_args(expand(words, configs=self.configs, runs=RUNS))

    def _parse_ckpt_path(self) -> None:
        """Do nothing: `expand` has put the checkpoint's settings below the flags; Lightning would put them above."""

    def before_instantiate_classes(self) -> None:
        """See to the dataset and make the run folder."""
        config = self.config[self.subcommand]
        self.prepare(Path(config.data.path))
        self.run_folder = _new_run_folder(str(self.subcommand)) if rank_zero_only.rank == 0 else RUNS
        for logger in _as_list(config.trainer.logger):
            if getattr(logger, "class_path", "").endswith("WandbLogger"):
                logger.init_args.save_dir = str(self.run_folder)  # W&B's files lie in the run's folder

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add the local mirror (metrics.csv) before the configured loggers, and this project's callbacks."""
        config = self.config_init[self.subcommand]
        loggers = [logger for logger in _as_list(config.trainer.logger) if isinstance(logger, Logger)]
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                open_wandb_run(logger)
        mirror = CSVLogger(self.run_folder, name="", version="", flush_logs_every_n_steps=1)
        report = RunReport(command=str(self.subcommand), cache=RUNS / ".baselines", seed=config.data.seed)
        own = [Throughput(), progress_bar(), PredictionWriter() if self.subcommand == "predict" else report]
        self.trainer_defaults["callbacks"] = own
        return super().instantiate_trainer(logger=[mirror, *loggers], default_root_dir=self.run_folder, **kwargs)

    def after_fit(self) -> None:
        """Test the best checkpoint, once."""
        if not self.trainer.fast_dev_run:
            self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path="best")


def main(configs: Path, prepare: Callable[[Path], None], args: list[str] | None = None) -> int:
    """Run a command; return the exit status. An error the user can mend is printed without a traceback."""
    try:
        RankCLI(configs, prepare, args)
    except MemcomRankError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    finally:
        close_wandb_run()
    return 0


def _new_run_folder(command: str) -> Path:
    """Make `runs/TIME-COMMAND`, with a number behind it where that exists; never an old folder."""
    name = f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{command}"
    for number in range(1000):
        folder = RUNS / (f"{name}-{number}" if number else name)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"a thousand runs in one second: {RUNS / name}")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
