"""Callbacks room (floor 4): checkpoints of a run, remembered when another run goes on from them."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins import TorchCheckpointIO

from memcom_rank.contract.files import new_file


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint under a temporary name beside its place, and renames it: a full disk leaves the old one.

    Lightning's own writes to the folder of temporary files, which may be on another disk: from there it is copied, over
    the old one.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            WriteError: the disk is full or the place cannot be written.
        """
        with new_file(Path(path)) as temporary, temporary.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # torch's own, where a write to the file failed
                raise error.__context__ if isinstance(error.__context__, OSError) else error from None
            file.flush()
            os.fsync(file.fileno())


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which knows its best epoch again after a resume.

    A resumed run writes into a folder of its own; Lightning would then forget the best score so far and call the
    first epoch after the resume the best. Here the earlier run's checkpoints are copied into the new folder, which
    is whole from its first step on; files of the earlier run are never touched.
    """

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Note where the checkpoint lies; `load_state_dict` comes next."""
        self._beside = Path(trainer.ckpt_path or "").parent

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state, whatever folder it was written in, where its checkpoints are still to be found."""
        scores = state_dict["best_k_models"]
        found = {path: self._find(path) for path in {state_dict["best_model_path"], *scores} - {""}}
        if None not in found.values():
            moved = {
                "dirpath": self.dirpath,
                "best_k_models": {found[path]: score for path, score in scores.items()},
                **{key: found.get(state_dict[key], "") for key in ("best_model_path", "kth_best_model_path")},
            }
            super().load_state_dict({**state_dict, **moved})

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the checkpoints of the run that this one goes on from."""
        super().on_train_start(trainer, pl_module)
        self._move_in(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy them where nothing was left to train."""
        self._move_in(trainer)

    def _move_in(self, trainer: Trainer) -> None:
        own = Path(self.dirpath or ".")
        paths = {path: str(own / Path(path).name) for path in {self.best_model_path, *self.best_k_models} - {""}}
        for path, copy in paths.items():
            if trainer.is_global_zero and Path(path).absolute() != Path(copy).absolute():
                with new_file(Path(copy)) as temporary:
                    shutil.copyfile(path, temporary)
        self.best_k_models = {paths[path]: score for path, score in self.best_k_models.items()}
        self.best_model_path = paths.get(self.best_model_path, "")
        self.kth_best_model_path = paths.get(self.kth_best_model_path, "")

    def _find(self, path: str) -> str | None:
        """Return where a checkpoint is now: where it was written or, its run moved, beside the one that is loaded."""
        places = (Path(path), self._beside / Path(path).name)
        return next((str(place) for place in places if place.is_file()), None)


def best_score(trainer: Trainer) -> float | None:
    """Return the best validation score so far, earlier runs that this one goes on from included."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and callback.best_model_score is not None:
            return float(callback.best_model_score)
    return None
