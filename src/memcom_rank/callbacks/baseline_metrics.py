"""Callbacks room (floor 4): popularity and EASE under the ranker's own protocol, cached by the dataset's digest.

Same histories, same candidates, same metrics; EASE's ridge is picked on validation nDCG@10. The command `baselines`
measures all baselines with the same `measure`.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from memcom_rank.baselines import Ease, Popularity, gram_matrix, popular_when_cold, select_ridge
from memcom_rank.callbacks.user_metrics import user_batch
from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.files import new_file
from memcom_rank.contract.schemas import TEST, VALIDATION
from memcom_rank.data import RankingData
from memcom_rank.data.dataset import Queries
from memcom_rank.metrics import RankingMetrics

Values = dict[str, float]
Score = Callable[[Tensor], Tensor]
_VERSION = 2  # of what is measured: what an older one has cached is measured again


def baseline_metrics(data: RankingData, split: str, ks: Sequence[int | None], cache: Path) -> dict[str, Values | str]:
    """Return {"popularity": {"ndcg@10": ...}, "ease": {...}}; a reason instead of values where one was skipped.

    Args:
        data: the dataset, of one process.
        split: "validation" or "test".
        ks: cutoffs of the metrics.
        cache: folder of earlier results; one small JSON file per dataset, split and cutoffs.
    """
    digest = data.dataset.manifest.digest.removeprefix("sha256:")[:16]
    name = "-".join(["full" if k is None else str(k) for k in ks])
    path = cache / f"{digest}-{split}-{name}-v{_VERSION}.json"
    try:
        known: dict[str, Values | str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        print(f"measuring popularity and EASE on {split}, once for this dataset", flush=True)
        known = _measure(data, split, ks)
        with new_file(path) as temporary:
            temporary.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    return known


def _measure(data: RankingData, split: str, ks: Sequence[int | None]) -> dict[str, Values | str]:
    dataset = data.dataset
    facts = (*dataset.interactions(), dataset.manifest.num_users, dataset.manifest.num_ids)
    popularity = Popularity().fit(*facts)
    found: dict[str, Values | str] = {"popularity": evaluate(popularity.score, data, split, ks)}
    try:
        gram_GG = gram_matrix(*facts)
    except ConfigError as reason:
        return {**found, "ease": reason.seen}

    def score(fitted: Ease) -> Score:
        return popular_when_cold(fitted.score, popularity)

    ease, _ = select_ridge(gram_GG, lambda fitted: evaluate(score(fitted), data, VALIDATION, [10])["ndcg@10"])
    return {**found, "ease": {**evaluate(score(ease), data, split, ks), "ridge": ease.ridge}}


def evaluate(score: Score, data: RankingData, split: str, ks: Sequence[int | None]) -> Values:
    """Return the metrics of `score` (history [B, L] -> scores [B, V]) over all users of a split, on this process."""
    if split not in (VALIDATION, TEST):
        raise ConfigError(f"split '{split}'", wanted=f"{VALIDATION} or {TEST}", fix="correct the name")
    return measure(score, data, data.dataset.queries(split), ks)[0]


def measure(
    score: Score, data: RankingData, queries: Queries, ks: Sequence[int | None]
) -> tuple[Values, list[dict[str, Tensor]]]:
    """Return the metrics over all users of `queries`, on this process, and the batches that `user_table` takes."""
    metrics = RankingMetrics(ks, data.num_ids, sync_on_compute=False)  # the other ranks are not here
    users = []
    with torch.inference_mode():
        loader = data.query_loader(queries, rank=0, world_size=1)
        for key in loader.sampler:
            batch = loader.dataset[key]  # in this process: starting workers would take longer than all of this
            ranks = metrics.update(score(batch.history), batch.targets, batch.grades, batch.history)
            users.append(user_batch({"row": batch.rows, **metrics.per_user(ranks)}, batch))
    return {key: float(value) for key, value in metrics.compute().items()}, users
