"""Callbacks room (floor 4): checkpoints of a run, remembered when another run goes on from them."""

import shutil
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from memcom_rank.contract.files import new_file


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which knows its best epoch again after a resume.

    A resumed run writes into a folder of its own; Lightning would then forget the best score so far and call the
    first epoch after the resume the best. Here the earlier run's checkpoints are copied into the new folder, which
    is whole from its first step on; files of the earlier run are never touched.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state, whatever folder it was written in, where its checkpoints are still there."""
        if all(Path(path).is_file() for path in _paths(state_dict["best_model_path"], state_dict["best_k_models"])):
            super().load_state_dict({**state_dict, "dirpath": self.dirpath})

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the checkpoints of the run that this one goes on from."""
        super().on_train_start(trainer, pl_module)
        own = {
            path: str(Path(self.dirpath or ".") / Path(path).name)
            for path in _paths(self.best_model_path, self.best_k_models)
        }
        for path, copy in own.items():
            if trainer.is_global_zero and Path(path).absolute() != Path(copy).absolute():
                with new_file(Path(copy)) as temporary:
                    shutil.copyfile(path, temporary)
        self.best_k_models = {own[path]: score for path, score in self.best_k_models.items()}
        self.best_model_path = own.get(self.best_model_path, "")
        self.kth_best_model_path = own.get(self.kth_best_model_path, "")


def best_score(trainer: Trainer) -> float | None:
    """Return the best validation score so far, earlier runs that this one goes on from included."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and callback.best_model_score is not None:
            return float(callback.best_model_score)
    return None


def _paths(best: str, others: dict[str, Any]) -> set[str]:
    return {path for path in (best, *others) if path}
