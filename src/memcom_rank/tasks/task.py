"""Tasks room (floor 3): what every task shares: optimizer, log keys, checkpoints true to their dataset.

A task adds its model, its steps, and the words of its reports.
"""

import abc
import math
import warnings
from typing import Any, ClassVar, Protocol

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from memcom_rank.contract.errors import CheckpointError, ConfigError
from memcom_rank.data import RankingData
from memcom_rank.models import Scorer
from memcom_rank.tasks.form import check_form


class Metrics(Protocol):
    """Values by key, over all batches and ranks."""

    def keys(self) -> list[str]:
        """Return the keys."""

    def compute(self) -> dict[str, Tensor]:
        """Return scalars by key."""

    def reset(self) -> None:
        """Forget all batches."""


class Task(LightningModule, abc.ABC):
    """A model with its loss and its metrics. A subclass says what the callbacks report:

    Attributes:
        role: what the closing table calls the model.
        headline: the metric that picks the best epoch, and that is shown by slice.
        columns: metrics of the closing table, where they were measured.

    Args:
        learning_rate: of Adam's first step; it falls to 0 over the run, see `configure_optimizers`.
        top_k: how many `predict` writes for a user.

    Raises:
        ConfigError: one of them is out of range.
    """

    role: ClassVar[str]
    headline: ClassVar[str]
    columns: tuple[str, ...]
    validation_metrics: Metrics

    def __init__(self, *, learning_rate: float, top_k: int) -> None:
        super().__init__()
        if not 0 <= learning_rate < math.inf:
            raise ConfigError(f"learning_rate is {learning_rate}", wanted="a number of at least 0", fix="try 0.005")
        if top_k < 1:
            raise ConfigError(f"top_k is {top_k}", wanted="at least 1", fix="try 10")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Attribute .* is an instance of `nn.Module`")
            self.save_hyperparameters(logger=False)  # those of the subclass's constructor
        # settings where the command line made them; made in Python they are objects, which no checkpoint should hold
        self.remove_ignored_hparams([name for name, value in self.hparams.items() if callable(value)])
        self.learning_rate, self.top_k = learning_rate, top_k
        self._heard_at = 0  # the step after which the embedding last heard how far training has come

    @property
    @abc.abstractmethod
    def scorer(self) -> Scorer:
        """The model, whose bytes are reported."""

    @abc.abstractmethod
    def check(self, data: RankingData) -> None:
        """Refuse, with a ConfigError, a dataset of the wrong kind; in every command."""

    @abc.abstractmethod
    def begin(self, data: RankingData) -> None:
        """Look at the dataset before training; refuse settings that do not fit this task with a ConfigError."""

    def setup(self, stage: str) -> None:
        """Let the task look at its dataset, and at what it will train on."""
        data = getattr(self.trainer, "datamodule", None)
        if data is not None:
            self.check(data)
            if stage == "fit":
                self._check_monitors()
                self.begin(data)
                self.scorer.embedding.start(*data.dataset.interactions())

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return Adam with half a cosine of learning rates, from `learning_rate` down to 0 over the steps of the run.

        A run taken up with more epochs goes on at the rate that a run of the new length has there; one without an end
        (`max_epochs` -1) keeps its rate.
        """
        fused = not self.trainer.gradient_clip_val  # the fastest; Lightning refuses to clip for it in mixed precision
        optimizer = torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=fused)
        cosine = LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * min(step / self._steps(), 1))) / 2)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}

    def _steps(self) -> float:
        """Return the steps of the whole run, infinite before its loader is made.

        Lightning's own estimate would make the loader at once, too early for a run taken up inside an epoch.
        """
        trainer = self.trainer
        epochs = trainer.max_epochs if trainer.max_epochs is not None and trainer.max_epochs >= 0 else math.inf
        steps = min(epochs * self._steps_an_epoch(), trainer.max_steps if trainer.max_steps >= 0 else math.inf)
        return max(steps, 1)

    def _steps_an_epoch(self) -> float:
        steps = self.trainer.num_training_batches / self.trainer.accumulate_grad_batches
        return math.ceil(steps) if math.isfinite(steps) else math.inf  # the last batches make one though they are fewer

    @property
    def _ddp_params_and_buffers_to_ignore(self) -> list[str]:
        """Batch statistics, for DDP: it would send them before every step of an evaluation too, where ranks differ."""
        return [name for name, _ in self.named_buffers()]

    def on_fit_start(self) -> None:
        """Give every rank what rank 0 learned of the training games before the first step."""
        self._share_buffers()

    def on_validation_start(self) -> None:
        """Give every rank the batch statistics of rank 0, which are those that a checkpoint holds.

        In training, the embedding first hears how far it has come: what is validated is what would be kept.
        """
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            self._advance()
        self._share_buffers()

    def on_train_start(self) -> None:
        """Let the embedding hear what it had not when the checkpoint was written, right after an epoch's last step."""
        if self._heard_at != self.trainer.global_step and self.trainer.global_step % self._steps_an_epoch() == 0:
            self._advance()

    def on_train_epoch_end(self) -> None:
        """Let the embedding hear how far training has come where no validation of this epoch did."""
        if self._heard_at != self.trainer.global_step:
            self._advance()

    def _advance(self) -> None:
        self._heard_at = self.trainer.global_step
        changed = self.scorer.embedding.advance(min(self.trainer.global_step / self._steps(), 1.0))
        if changed and self.trainer.world_size > 1:  # every rank did the same up to rounding; from now on to the bit
            for parameter in self.scorer.embedding.parameters():
                parameter.data.copy_(self.trainer.strategy.broadcast(parameter.data))
            self._share_buffers()

    def _share_buffers(self) -> None:
        for buffer in self.buffers():
            buffer.copy_(self.trainer.strategy.broadcast(buffer))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write into the checkpoint which dataset its ids belong to, and what the embedding has heard."""
        checkpoint["dataset_digest"] = self._dataset_digest()
        checkpoint["heard_at"] = self._heard_at

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights whose ids belong to another dataset, and those of another model."""
        trained, here = checkpoint.get("dataset_digest"), self._dataset_digest()
        if here is not None and trained != here:
            raise CheckpointError(
                f"the checkpoint was trained on the dataset {trained}, and this one is {here}",
                wanted="the same dataset: game ids mean nothing on another one",
                fix="pass --data.path with the dataset it was trained on, or train anew",
            )
        trained_state, state = checkpoint["state_dict"], self.state_dict()
        if self._trainer is None:  # load_from_checkpoint, which may want a part of it, strict=False
            common = trained_state.keys() & state.keys()
            trained_state, state = ({name: tensors[name] for name in common} for tensors in (trained_state, state))
        check_form(checkpoint.get("hyper_parameters", {}), self.hparams, trained_state, state)
        self._heard_at = checkpoint.get("heard_at", checkpoint.get("global_step", 0))

    def _check_monitors(self) -> None:
        """Refuse callbacks that wait for a validation metric which never comes: another recipe's, or another cutoff."""
        known = [f"val/{key}" for key in self.validation_metrics.keys()]  # noqa: SIM118  (no mapping)
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            monitor = getattr(callback, "monitor", None) or ""
            if monitor.startswith("val/") and monitor not in known:
                raise ConfigError(
                    f"{type(callback).__name__} monitors {monitor}, and {type(self).__name__} does not measure it",
                    wanted=f"one of {', '.join(known)}",
                    fix="use the config that the model was trained with, or name the metric in trainer.callbacks",
                )

    def _dataset_digest(self) -> str | None:
        data = getattr(self._trainer, "datamodule", None)
        return None if data is None else str(data.dataset.manifest.digest)

    def _log_metrics(self, stage: str, metrics: Metrics) -> None:
        values = metrics.compute()  # over all ranks; sync_dist averages equal values and spares a warning
        self.log_dict({f"{stage}/{key}": value for key, value in values.items()}, sync_dist=True)
        metrics.reset()
