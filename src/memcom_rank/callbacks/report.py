"""Callbacks room (floor 4): summary.json and the closing table of a run.

Keys are stable and flat: `test.ndcg@10`, `test.ndcg@10.low`, `test.slices.head.ndcg@10`, `baselines.ease.ndcg@10`,
`embedding.bytes`, `dataset.digest`, ...
"""

import json
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import WandbLogger

from memcom_rank.callbacks.baseline_metrics import baseline_metrics
from memcom_rank.callbacks.checkpoint import best_score
from memcom_rank.callbacks.intervals import user_figures
from memcom_rank.callbacks.label_baselines import label_baselines
from memcom_rank.callbacks.summary_table import summary_table
from memcom_rank.callbacks.user_metrics import USER_METRICS_FILE
from memcom_rank.contract.files import new_file
from memcom_rank.contract.schemas import TEST, VALIDATION
from memcom_rank.tasks import Task

SUMMARY_FILE = "summary.json"
Summary = dict[str, Any]


class RunReport(Callback):
    """Gathers what a run found out; on rank 0 writes it and prints it. A test's users are read from their file.

    Args:
        folder: the run's folder.
        command: "fit", "validate" or "test".
        cache: folder where baselines' results are kept between runs.
        seed, epochs: of the training: this run's, or that of the checkpoint; None where it does not say.
    """

    def __init__(self, folder: Path, *, command: str, cache: Path, seed: int | None, epochs: int | None = None) -> None:
        self.folder, self.command, self.cache, self.seed = folder, command, cache, seed
        self._started = time.perf_counter()
        self._epochs = epochs
        self._best: float | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what is about to be trained."""
        if trainer.is_global_zero:
            size, data = self._size(pl_module), trainer.datamodule  # type: ignore[attr-defined]
            facts = data.dataset.manifest
            labels = f", {len(facts.labels):,} labels" if facts.labels else ""
            print(
                f"dataset  {data.path}: {facts.num_users:,} users, {facts.num_games:,} games{labels}\n"
                f"model    {size['embedding.technique']} of width {_task(pl_module).scorer.embedding.dim}: "
                f"{size['embedding.bytes']:,} bytes, {size['embedding.ratio']:.1f}x smaller than a full table\n"
                f"run      {self.folder}",
                flush=True,
            )

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what loading the best checkpoint for the test takes back."""
        trained: Any = trainer.fit_loop.epoch_progress.current
        self._epochs = trained.processed
        self._best = best_score(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close a `validate` run."""
        if self.command == "validate":
            self._close(trainer, pl_module, VALIDATION, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close a `fit` or `test` run."""
        self._close(trainer, pl_module, TEST, "test")

    def _close(self, trainer: Trainer, pl_module: LightningModule, split: str, stage: str) -> None:
        if not trainer.is_global_zero or trainer.sanity_checking:
            return
        summary = {
            "command": self.command,
            "seed": self.seed,
            "epochs": self._epochs,
            **{k.replace("/", "."): float(v) for k, v in trainer.callback_metrics.items() if k.startswith(stage)},
            **(self._users(pl_module) if split == TEST else {}),
            **self._size(pl_module),
            **self._dataset(trainer, split, pl_module.hparams["ks"]),
            **self._places(trainer, pl_module),
            "wall_seconds": round(time.perf_counter() - self._started, 2),
        }
        with new_file(self.folder / SUMMARY_FILE) as path:
            path.write_text(json.dumps(summary, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.summary.update(summary)
        task = _task(pl_module)
        print(summary_table(summary, stage, role=task.role, columns=task.columns, sliced=task.headline), flush=True)

    def _users(self, pl_module: LightningModule) -> Summary:
        users = pq.read_table(self.folder / USER_METRICS_FILE)
        return {f"test.{key}": value for key, value in user_figures(users, _task(pl_module).headline).items()}

    def _size(self, pl_module: LightningModule) -> Summary:
        scorer = _task(pl_module).scorer
        embedding = scorer.embedding
        return {
            "embedding.technique": type(embedding).__name__,
            "embedding.bytes": embedding.num_bytes,
            "embedding.full_bytes": embedding.full_bytes,
            "embedding.ratio": embedding.ratio,
            "model.bytes": scorer.num_bytes,
            "model.full_bytes": scorer.num_bytes - embedding.num_bytes + embedding.full_bytes,
        }

    def _dataset(self, trainer: Trainer, split: str, ks: list[Any]) -> Summary:
        data = trainer.datamodule  # type: ignore[attr-defined]
        manifest = data.dataset.manifest
        found: Summary = {"dataset.path": str(data.path), "dataset.digest": manifest.digest}
        done, of = _batches(trainer, split)
        if done < of:  # theirs are of all users
            return {**found, "baselines.all.skipped": f"measured on {done:,} of {of:,} batches, not on all users"}
        found |= manifest.references
        if manifest.labels:
            measured = label_baselines(data, split, ks)
        else:
            measured = baseline_metrics(data, split, ks, self.cache)
        for name, values in measured.items():
            if isinstance(values, str):
                found[f"baselines.{name}.skipped"] = values
            else:
                found |= {f"baselines.{name}.{key}": value for key, value in values.items()}
        return found

    def _places(self, trainer: Trainer, pl_module: LightningModule) -> Summary:
        places: Summary = {"run": str(self.folder), "checkpoint": str(trainer.ckpt_path or "")}
        if self.command == "fit":
            places[f"best.val.{_task(pl_module).headline}"] = self._best
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger) and not logger.experiment.disabled:
                run = logger.experiment
                where = str(Path(run.dir).parent) if run.offline else str(run.url)
                places |= {"wandb.run": where, "wandb.offline": bool(run.offline)}
        return places


def _task(pl_module: LightningModule) -> Task:
    assert isinstance(pl_module, Task)
    return pl_module


def _batches(trainer: Trainer, split: str) -> tuple[int, int]:
    """Return how many batches of a split were evaluated, and how many there are."""
    test = split == TEST
    done = trainer.num_test_batches if test else trainer.num_val_batches
    return int(sum(done)), len(trainer.test_dataloaders if test else trainer.val_dataloaders)  # type: ignore[arg-type]
