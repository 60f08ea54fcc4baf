"""Command line (floor 5): `train.py fit|validate|test|predict`, a LightningCLI with this project's doors."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from pytorch_lightning.plugins import CheckpointIO
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import SIGTERMException

from memcom_rank.arguments import CHECKPOINTS, LAST, checkpoint_settings, expand, progress_of
from memcom_rank.callbacks import (
    PredictionWriter,
    RunReport,
    SaveRunConfig,
    TrainingMeter,
    UserMetricsWriter,
    WholeCheckpoints,
    progress_bar,
)
from memcom_rank.callbacks.run_folder import discard_run, new_run_folder
from memcom_rank.callbacks.wandb_run import close_wandb_run, open_wandb_run
from memcom_rank.contract.errors import CheckpointError, ConfigError
from memcom_rank.contract.program import drop_output
from memcom_rank.data import RankingData
from memcom_rank.parser import RankParser, named_error, whole_numbers_first
from memcom_rank.quiet import quiet

RUNS = Path("runs")
_LOOKS_AT = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("predict",)}
_SEEDS = 2**32  # as many as NumPy has
_HELP = """Train, measure and use small game rankers.
--config NAME is looked up in configs/; a later --config or flag overrules an earlier one.
--ckpt_path takes a .ckpt file, a run folder, or 'best' or 'last' of the newest run, with the model as it was trained.
--print_config shows what would be run.

examples:
  python train.py fit --config ranknet.yaml
  python train.py fit --config ranknet.yaml --config embedding/naive_hash.yaml --data.path data/steam
  python train.py fit --config ranknet.yaml --ckpt_path last --trainer.max_epochs 80
  python train.py test --config ranknet.yaml --ckpt_path best
  python train.py predict --config ranknet.yaml --ckpt_path runs/20260131-120000-fit"""
_COMMANDS = ("fit", "validate", "test", "predict")
_USAGE = {name: {"usage": f"train.py {name} --config ranknet.yaml [options]", "epilog": _HELP} for name in _COMMANDS}


class RankCLI(LightningCLI):
    """fit ends with one test of its best checkpoint; every command writes a new folder under `runs/`.

    Args:
        configs: folder of the shipped configs.
        prepare: called on every rank with the dataset's path before it is read.
        args: the command line without the program; None takes it from the process.
    """

    def __init__(self, configs: Path, prepare: Callable[[Path], None], args: list[str] | None = None) -> None:
        self.configs, self.prepare, self.run_folder = configs, prepare, RUNS
        whole_numbers_first(Trainer.__init__)
        try:
            super().__init__(
                LightningModule,
                RankingData,
                parser_class=RankParser,
                parser_kwargs={"description": _HELP, **_USAGE},
                subclass_mode_model=True,
                auto_configure_optimizers=False,
                save_config_callback=SaveRunConfig,
                save_config_kwargs={"save_to_log_dir": False},
                args=args,
            )
        except BaseException as error:  # an interruption too
            close_wandb_run(exit_code=1)
            if self.run_folder != RUNS:  # it was made, and by this process
                discard_run(self.run_folder)
                if isinstance(error, SIGTERMException):
                    print(f"stopped by SIGTERM{self._way_on()}", file=sys.stderr)
            raise

    def _way_on(self) -> str:
        kept = (self.run_folder / CHECKPOINTS / LAST).is_file()
        return f"; the same command with --ckpt_path {self.run_folder} goes on" if kept else ""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link the dataset's facts to the model and the run's seed to the data."""
        parser.link_arguments("data.num_ids", "model.init_args.num_ids", apply_on="instantiate")
        # reaches a model that takes it, and no other
        parser.link_arguments("data.num_labels", "model.init_args.num_labels", apply_on="instantiate")
        parser.link_arguments("seed_everything", "data.seed", compute_fn=int)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Spell out what the user typed in short, then parse it."""
        words = args if isinstance(args, list) else sys.argv[1:]
        self.config = parser.parse_args(expand(words, configs=self.configs, runs=RUNS))
        config = self.config[self.config.subcommand]
        seed, every = config.seed_everything, config.trainer.check_val_every_n_epoch
        if not isinstance(seed, bool) and not 0 <= seed < _SEEDS:
            raise ConfigError(f"seed_everything is {seed}", wanted=f"0 <= seed < {_SEEDS}", fix="try 1")
        if every is not None and every < 1:
            raise ConfigError(f"check_val_every_n_epoch is {every}", wanted="at least 1", fix="try 1")
        for limit in [f"limit_{kind}_batches" for kind in _LOOKS_AT[self.config.subcommand]]:
            if config.trainer[limit] == 0 and not config.trainer.fast_dev_run:
                raise ConfigError(
                    f"trainer.{limit} is 0",
                    wanted=f"users for {self.config.subcommand} to look at",
                    fix=f"leave it out, or try --trainer.{limit} 1",
                )

    def _parse_ckpt_path(self) -> None:
        """Do nothing: `expand` has put the checkpoint's settings below the flags; Lightning would put them above."""

    def before_instantiate_classes(self) -> None:
        """See to the dataset and make the run folder.

        Raises:
            CheckpointError: nothing trained to validate, test or predict with.
            ConfigError: a strategy whose processes are copies of this one.
        """
        config = self.config[self.subcommand]
        if self.subcommand != "fit" and config.ckpt_path is None:
            raise CheckpointError(
                f"{self.subcommand} without --ckpt_path",
                wanted="a trained model: a .ckpt file, a run folder, 'best' or 'last' (of the newest run)",
                fix=f"python train.py {self.subcommand} --config ranknet.yaml --ckpt_path best",
            )
        if config.ckpt_path is not None and not Path(config.ckpt_path).is_file():  # from a YAML: flags are spelt out
            raise CheckpointError(
                f"no checkpoint file '{config.ckpt_path}'",
                wanted="a file, where ckpt_path stands in a config",
                fix="give --ckpt_path as a flag, or take ckpt_path out of the config to train anew",
            )
        if any(word in str(config.trainer.strategy) for word in ("spawn", "fork", "notebook")):
            raise ConfigError(
                f"strategy {config.trainer.strategy}",
                wanted="processes that each run train.py from its start and see what the others log",
                fix="use --trainer.strategy ddp",
            )
        self.prepare(Path(config.data.path))
        self.run_folder = rank_zero_only(new_run_folder, RUNS)(RUNS, str(self.subcommand))
        for logger in _as_list(config.trainer.logger):
            if getattr(logger, "class_path", "").endswith("WandbLogger"):
                logger.init_args.save_dir = str(self.run_folder)  # W&B's files lie in the run's folder

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add the local mirror (metrics.csv) before the configured loggers, and this project's callbacks."""
        config = self.config_init[self.subcommand]
        mirror = CSVLogger(self.run_folder, name="", version="", flush_logs_every_n_steps=1)
        _ = mirror.experiment  # opened on rank 0 while the folder is empty, as it wants it
        wanted = [] if self.subcommand == "predict" else _as_list(config.trainer.logger)  # predict has nothing to log
        loggers = [logger for logger in wanted if isinstance(logger, Logger)]
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                open_wandb_run(logger)
        if self.subcommand == "predict":
            writers: list[Callback] = [PredictionWriter(self.run_folder)]
        else:
            command, cache = str(self.subcommand), RUNS / ".baselines"
            trained = {"seed": config.data.seed, "epochs": 0}
            if command != "fit":
                path = Path(config.ckpt_path)
                settings, done = checkpoint_settings(path, command="fit"), progress_of(path)
                trained = {"seed": settings.get("seed_everything"), "epochs": done and done.epochs}
            report = RunReport(self.run_folder, command=command, cache=cache, **trained)
            writers = [UserMetricsWriter(self.run_folder), report]
        progress = [] if config.trainer.enable_progress_bar is False else [progress_bar()]
        self.trainer_defaults["callbacks"] = [TrainingMeter(), *progress, *writers]
        plugins = _as_list(config.trainer.plugins or [])
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins = [*plugins, WholeCheckpoints()]
        places = {"logger": [mirror, *loggers], "default_root_dir": self.run_folder, "plugins": plugins}
        return super().instantiate_trainer(**places, **kwargs)

    def before_fit(self) -> None:
        """See to what is left to train: nothing, where a run was killed in its test, which alone is made up for.

        Raises:
            CheckpointError: it has trained more than is asked for, or the checkpoint holds weights alone.
            ConfigError: `overfit_batches`.
        """
        config = self.config[self.subcommand]
        if config.trainer.overfit_batches:
            raise ConfigError(
                f"overfit_batches is {config.trainer.overfit_batches}",
                wanted="0: batches are drawn by a sampler of their own, which Lightning would replace",
                fix="use --trainer.limit_train_batches, which does as much here",
            )
        path = config.ckpt_path
        if path is None:
            return
        if (done := progress_of(Path(path))) is None:
            raise CheckpointError(
                f"'{path}' holds weights alone, without the state of the optimizer",
                wanted="a checkpoint that a run can go on from",
                fix="train again, without save_weights_only",
            )
        limits = {"epochs": self.trainer.max_epochs, "steps": self.trainer.max_steps}
        for unit, most in limits.items():
            count = done._asdict()[unit]
            if most is not None and 0 <= most < count:
                raise CheckpointError(
                    f"'{path}' has trained {count} {unit}, and {most} are asked for",
                    wanted=f"{unit} left to train, or none",
                    fix=f"raise the number: --trainer.max_{unit} {2 * count}",
                )
            if most == count:
                _say(
                    f"all {count} {unit} are trained, the best is tested; to train on: --trainer.max_{unit} {2 * count}"
                )
        if done.stopped and done.epochs >= (self.trainer.min_epochs or 0):
            _say(f"early stopping ended it after {done.epochs} epochs, the best is tested")
            self.trainer.fit_loop.max_epochs = done.epochs  # its state is restored, and that it was to stop is no part

    def after_fit(self) -> None:
        """Test the best checkpoint, once.

        Raises:
            ConfigError: training came to its end without a validation.
        """
        checkpoint = self.trainer.checkpoint_callback
        if self.config[self.subcommand].trainer.limit_test_batches == 0:
            _say(
                f"not tested, as asked; later: python train.py test --config ranknet.yaml --ckpt_path {self.run_folder}"
            )
        elif isinstance(checkpoint, ModelCheckpoint) and checkpoint.best_model_path:
            self.test(model=self.model, datamodule=self.datamodule, ckpt_path=checkpoint.best_model_path)
        elif self.trainer.state.finished and not self.config[self.subcommand].trainer.fast_dev_run:
            last = self.run_folder / CHECKPOINTS / LAST
            test = f"; to test the last epoch: python train.py test --config ranknet.yaml --ckpt_path {last}"
            raise ConfigError(
                "no epoch was validated, so that none is the best and nothing was tested",
                wanted="a validation before training ends",
                fix=f"lower --trainer.check_val_every_n_epoch, or train longer{test if last.is_file() else ''}",
            )

    def test(self, **arguments: Any) -> None:
        """Test without Lightning's own table of metrics: the closing table says more."""
        self.trainer.test(**{**arguments, "verbose": False})

    def validate(self, **arguments: Any) -> None:
        """Validate, likewise."""
        self.trainer.validate(**{**arguments, "verbose": False})

    def predict(self, **arguments: Any) -> None:
        """Predict into the run folder; nothing is kept in memory for the caller."""
        self.trainer.predict(**{**arguments, "return_predictions": False})


def main(configs: Path, prepare: Callable[[Path], None], args: list[str] | None = None) -> int:
    """Run a command; return the exit status. An error the user can mend is printed without a traceback."""
    try:
        with quiet():
            RankCLI(configs, prepare, args)
    except SIGTERMException:
        return 128 + signal.SIGTERM  # what a shell makes of a process that the signal ended
    except BrokenPipeError:  # whoever read what is printed has gone, as `head` does
        drop_output()
        return 1
    except Exception as error:
        named = named_error(error)
        if named is None:
            raise
        print(f"{type(named).__name__}: {named}", file=sys.stderr)
        return 1
    finally:
        close_wandb_run()
    return 0


@rank_zero_only
def _say(message: str) -> None:
    print(message, flush=True)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
