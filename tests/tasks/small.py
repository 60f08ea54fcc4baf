"""Runs of milliseconds on the two clusters of `tests.data.tiny`."""

import functools

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback

from memcom_rank.data import RankingData
from memcom_rank.embeddings import MEmCom
from memcom_rank.models import LogSumExpMatch
from memcom_rank.tasks import Classifier, PaperClassifier, RankNet

SMALL_MEMCOM = functools.partial(MEmCom, target_ratio=1.5)
NO_SAMPLES = {"num_negatives": 0}  # what a classifier wants of the data


def task(num_ids=18, *, kind=RankNet, match=None, embedding=SMALL_MEMCOM, **options):
    torch.manual_seed(0)
    matches = [] if kind is PaperClassifier else [LogSumExpMatch(match_dim=4) if match is None else match]
    shared = {"dim": 8, "learning_rate": 0.05, "ks": (3, None), "top_k": 4}
    return kind(num_ids, embedding, *matches, **{**shared, **options})


def data(folder, **options):
    return RankingData(folder, **{"batch_size": 16, "num_negatives": 8, "keep_share": (0.4, 0.9), **options})


def trainer(**options):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(**{"accelerator": "cpu", "enable_checkpointing": False, "max_epochs": 2, **quiet, **options})


def fitted(folder, *, resume=None, model=None, loaders=None, **options):
    """Train; return the trainer, whose metrics and weights tell what happened."""
    made = trainer(**options)
    model = model or task()
    wanted = NO_SAMPLES if isinstance(model, Classifier | PaperClassifier) else {}
    made.fit(model, data(folder, **wanted, **(loaders or {})), ckpt_path=resume, weights_only=True)
    return made


def weights(made):
    return {name: value.clone() for name, value in made.lightning_module.state_dict().items()}


class StopAfter(Callback):
    """Ends a run early, in order: its learning rates are still those of the whole run."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_train_epoch_end(self, trainer, *_):
        trainer.should_stop = trainer.current_epoch + 1 == self.epochs
