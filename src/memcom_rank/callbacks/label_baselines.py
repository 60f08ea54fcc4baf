"""Callbacks room (floor 4): the majority label and naive Bayes under the classifier's own protocol.

Same users, same histories, same metrics; naive Bayes' smoothing is picked on validation accuracy. Both take less than a
second, so nothing is kept between runs.
"""

from collections.abc import Sequence

import torch

from memcom_rank.baselines import SMOOTHINGS, NaiveBayes
from memcom_rank.contract.schemas import TRAIN, VALIDATION
from memcom_rank.data import RankingData
from memcom_rank.metrics import LabelMetrics

Values = dict[str, float]


def label_baselines(data: RankingData, split: str, ks: Sequence[int]) -> dict[str, Values | str]:
    """Return {"majority": {"accuracy": ...}, "naive_bayes": {..., "smoothing": ...}}.

    Args:
        data: a labelled dataset, of one process.
        split: "validation" or "test".
        ks: cutoffs of `accuracy@k`.
    """
    found = {smoothing: _fitted(data, smoothing) for smoothing in SMOOTHINGS}
    best = max(found, key=lambda smoothing: evaluate(found[smoothing], data, VALIDATION, ())["accuracy"])
    return {
        "majority": evaluate(_fitted(data, torch.inf), data, split, ks),
        "naive_bayes": {**evaluate(found[best], data, split, ks), "smoothing": best},
    }


def evaluate(model: NaiveBayes, data: RankingData, split: str, ks: Sequence[int]) -> Values:
    """Return the metrics of a fitted baseline over all users of a split, on this process."""
    metrics = LabelMetrics(ks, data.num_labels, sync_on_compute=False)  # the other ranks are not here
    loader = data.label_loader(split, rank=0, world_size=1)
    for key in loader.sampler:
        batch = loader.dataset[key]  # in this process: starting workers would take longer than all of this
        metrics.update(model.score(batch.history), batch.labels)
    return {key: float(value) for key, value in metrics.compute().items()}


def _fitted(data: RankingData, smoothing: float) -> NaiveBayes:
    dataset, trained = data.dataset, torch.zeros(data.dataset.manifest.num_users, dtype=torch.bool)
    trained[dataset.labelled(TRAIN)] = True
    rows, games = dataset.interactions()
    own = trained[rows]
    labels = dataset.labels
    return NaiveBayes(smoothing).fit(labels[rows[own]], games[own], labels[trained], data.num_labels, data.num_ids)
