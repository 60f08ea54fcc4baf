"""What every task shares is tried in test_ranking.py and test_label_classifier.py; here what neither would notice."""

import math
from functools import partial

import pytest
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings import (
    Amtl,
    DeepHash,
    Full,
    LearnedHash,
    Mec,
    MEmCom,
    MemRec,
    MergeRare,
    MixedPrecision,
    ResidualCodes,
)
from memcom_rank.models import LogSumExpMatch
from memcom_rank.tasks import Classifier, PaperClassifier, RankNet
from tests.data.tiny import labelled_clusters
from tests.tasks.small import NO_SAMPLES, data, fitted, task, trainer, weights


@pytest.mark.parametrize("kind", [RankNet, Classifier, PaperClassifier])
@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_a_ranking_task_refuses_labels(tmp_path, kind, command):
    labelled = data(labelled_clusters(tmp_path / "labelled"), **NO_SAMPLES)
    with pytest.raises(ConfigError, match=rf"{kind.__name__} on (.|\n)*2 labels(.|\n)*classifier_label\.yaml"):
        getattr(trainer(), command)(task(kind=kind), labelled)


def test_tasks_say_what_they_report():
    made = task()
    assert made.scorer is made.ranker
    assert (made.role, made.headline) == ("ranker", "ndcg@10")
    assert made.headline in made.columns


@pytest.mark.parametrize(("monitor", "known"), [("val/ndcg@10", False), ("val/accuracy", False), ("val/mrr", True)])
def test_a_metric_that_never_comes_is_not_waited_for(folder, monitor, known):
    made = trainer(callbacks=[EarlyStopping(monitor)])
    if known:
        made.fit(task(), data(folder))
    else:
        with pytest.raises(ConfigError, match=rf"EarlyStopping monitors {monitor}, and RankNet (.|\n)*val/ndcg@3"):
            made.fit(task(), data(folder))


@pytest.mark.parametrize(("command", "times"), [("fit", 1), ("validate", 0), ("test", 0)])
def test_a_technique_looks_at_the_training_games_before_training_alone(folder, monkeypatch, command, times):
    seen = []
    monkeypatch.setattr(Full, "start", lambda self, users_N, ids_N: seen.append((users_N, ids_N)))
    games = data(folder)
    getattr(trainer(), command)(task(embedding=Full), games)
    assert len(seen) == times
    for users_N, ids_N in seen:
        assert torch.equal(users_N, games.dataset.interactions()[0])
        assert torch.equal(ids_N, games.dataset.histories.values)


@pytest.mark.parametrize("technique", [Amtl, LearnedHash, Mec, MEmCom, MergeRare, ResidualCodes])
@pytest.mark.parametrize("file", [False, True])
def test_a_second_fit_goes_on_from_what_was_trained(folder, tmp_path, technique, file):
    """A second fit without a learning rate changes no vector and no bias; nor does one of a model from a file."""
    made = partial(technique, target_ratio=2.0)
    model = task(embedding=made)
    first = fitted(folder, model=model, max_epochs=2)
    before = weights(first)
    if file:
        first.save_checkpoint(tmp_path / "a.ckpt")
        parts = {"embedding": made, "match": LogSumExpMatch(match_dim=4)}
        model = RankNet.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, **parts)
    model.learning_rate = 0.0
    after = weights(fitted(folder, model=model, max_epochs=1))
    assert before.keys() == after.keys()
    assert [name for name in before if not torch.equal(before[name], after[name]) and "batch" not in name] == []


@pytest.mark.parametrize(
    ("options", "heard"),
    [
        ({"max_epochs": 4}, [0.25, 0.5, 0.75, 1.0]),
        ({"max_epochs": 3, "check_val_every_n_epoch": 2}, [1 / 3, 2 / 3, 1.0]),
        ({"max_epochs": 4, "limit_val_batches": 0}, [0.25, 0.5, 0.75, 1.0]),
        ({"max_epochs": 2, "num_sanity_val_steps": 1}, [0.5, 1.0]),
        ({"max_epochs": -1, "max_time": "00:00:00:00"}, []),
        ({"max_epochs": 4, "limit_train_batches": 3, "accumulate_grad_batches": 2}, [0.25, 0.5, 0.75, 1.0]),
    ],
    ids=str,
)
def test_a_technique_hears_how_far_training_has_come(folder, monkeypatch, options, heard):
    seen = []
    monkeypatch.setattr(Full, "advance", lambda self, progress: seen.append(progress))
    made = trainer(**options)
    made.fit(task(embedding=Full), data(folder))
    made.validate(task(embedding=Full), data(folder))
    assert seen == heard


def test_the_learning_rate_falls_to_the_last_step_with_accumulated_batches_too(folder):
    rates = []

    class Watch(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            rates.append(optimizer.param_groups[0]["lr"])

    fitted(folder, max_epochs=3, limit_train_batches=3, accumulate_grad_batches=2, callbacks=[Watch()])
    assert rates == pytest.approx([0.05 * (1 + math.cos(math.pi * step / 6)) / 2 for step in range(6)])


class Each(Callback):
    """Keeps a checkpoint of every step, before the validation that follows an epoch's last one."""

    def __init__(self, into):
        self.into = into

    def on_train_batch_end(self, trainer, *_):
        trainer.save_checkpoint(self.into / f"{trainer.global_step}.ckpt")


def test_a_run_goes_on_from_every_step_as_if_it_had_never_stopped_while_rows_merge(folder, tmp_path):
    def model():
        return task(embedding=partial(MergeRare, shared_share=0.4, target_ratio=6))

    whole = fitted(folder, model=model(), max_epochs=4, callbacks=[Each(tmp_path)])
    steps = range(1, whole.global_step)
    assert len(steps) > 4
    for step in steps:
        again = fitted(folder, model=model(), max_epochs=4, resume=tmp_path / f"{step}.ckpt")
        same = [
            torch.equal(one, two) for one, two in zip(weights(again).values(), weights(whole).values(), strict=True)
        ]
        assert all(same), step


RELATED = {
    "MemRec": partial(MemRec, target_ratio=2),
    "LearnedHash": partial(LearnedHash, num_factors=4, target_ratio=2),
    "Mec": partial(Mec, num_codebooks=4, target_ratio=2),
    "Amtl": partial(Amtl, target_ratio=2),
    "MixedPrecision": partial(MixedPrecision, target_ratio=3),
    "MergeRare": partial(MergeRare, shared_share=0.4, target_ratio=6),
    "DeepHash": partial(DeepHash, num_hashes=8, num_layers=1, target_ratio=1.1),
}


@pytest.mark.parametrize("kind", [RankNet, Classifier])
@pytest.mark.parametrize("embedding", RELATED.values(), ids=RELATED.keys())
def test_techniques_that_learn_what_shares_what_train_and_come_back(folder, tmp_path, kind, embedding):
    made = fitted(folder, model=task(kind=kind, embedding=embedding), max_epochs=8)
    assert made.callback_metrics["val/ndcg@3"] > 0.55
    again = fitted(folder, model=task(kind=kind, embedding=embedding), max_epochs=8)
    assert all(torch.equal(one, two) for one, two in zip(weights(made).values(), weights(again).values(), strict=True))
    made.save_checkpoint(tmp_path / "run.ckpt")
    fresh = task(kind=kind, embedding=embedding)
    fresh.load_state_dict(torch.load(tmp_path / "run.ckpt", weights_only=False)["state_dict"])
    mine = made.lightning_module.eval()
    assert torch.equal(fresh.eval().scorer.embedding.dense(), mine.scorer.embedding.dense())
