"""Command line (floor 5): `python -m memcom_rank export`, a run of train.py -> a bundle that ranks without torch.

The bundle is written to a temporary folder, opened and measured by the format's own runtime, and moved to its place
only if it keeps to the limits of its bits.
"""

import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from memcom_rank import tasks
from memcom_rank.arguments import checkpoint_settings, find_checkpoint, progress_of
from memcom_rank.callbacks.baseline_metrics import Score, Values, measure
from memcom_rank.contract.errors import CheckpointError, ConfigError, diverged
from memcom_rank.contract.manifest import MANIFEST_FILE
from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID, TEST, UNKNOWN_ID
from memcom_rank.data import RankingData
from memcom_rank.export.agreement import agreement
from memcom_rank.export.card import model_card
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.formats import RankIds, format_of
from memcom_rank.export.limits import check_agreement, check_bytes
from memcom_rank.export.report import Exported, report
from memcom_rank.export.speed import speed
from memcom_rank.runtime import BundleError, pack_games, write_bundle
from memcom_rank.tasks import Task

_GAMES, _CARD = "games.gz", "README.md"
_MOST_GAMES = 100  # returned, by default
_FEWEST_GAMES = 10  # the cutoff of the metrics
_COMPARED_USERS = 1024
_BATCH = 64  # users compared at once
_LOWEST = -1e30  # the score of what the artifact does not return: below all others


class Trained(NamedTuple):
    """A checkpoint, its dataset where there is one, and what it was trained with."""

    task: Task
    data: RankingData | None
    facts: dict[str, Any]


def export(
    ckpt: str,
    output: Path,
    *,
    bits: int,
    k: int | None,
    data_path: str | None,
    runs: Path,
    format: str = "onnx",
    max_history: int | None = None,
) -> str:
    """Write a bundle; return the report.

    Args:
        ckpt: a checkpoint file, a run folder, or "best" or "last" of the newest run.
        output: the new folder.
        bits: 32, 16, 8, 4 or 2 per value of what was trained in fp32.
        k: games that the model returns, at least 10; by default 100; all where there are fewer.
        data_path: dataset folder; by default the one it was trained on, if it is still there.
        runs: folder of all runs.
        format: of the model's file, see `export/formats.py`.
        max_history: the longest history, for formats that have a limit; by default the format's usual one.

    Raises:
        CheckpointError: no checkpoint, a damaged one, or one of another dataset.
        ConfigError: a model that cannot be exported, or a format whose packages are not installed.
        DatasetError: no dataset in `data_path`.
        ExportError: the artifact is beyond the limits of its bits.
        BundleError: `output` is there already, or cannot be written.
    """
    if os.path.lexists(output):
        raise BundleError(f"'{output}' already exists", wanted="a new folder", fix="choose another --output")
    nearest = next(parent for parent in output.absolute().parents if parent.exists())
    if not nearest.is_dir():  # said now: minutes of measuring come first
        raise BundleError(f"'{nearest}' is a file", wanted="a folder to write in", fix="choose another --output")
    path = find_checkpoint(ckpt, command="export", runs=runs)
    kind = format_of(format, max_history)
    trained = _load(path, data_path)
    scorer = trained.task.scorer
    num_games = scorer.embedding.num_ids - FIRST_GAME_ID
    if k is not None and k < min(_FEWEST_GAMES, num_games):
        raise ConfigError(
            f"--k is {k}",
            wanted=f"at least {min(_FEWEST_GAMES, num_games)}: the artifact's nDCG@{_FEWEST_GAMES} is measured",
            fix="leave --k out; whoever ranks says how many games to show",
        )
    if not all(bool(values.isfinite().all()) for values in scorer.parameters()):
        raise diverged()
    device = DeviceRanker(scorer, bits=bits, k=min(k or _MOST_GAMES, num_games))
    made = kind.make(device)
    check_bytes(made.sizes, made.held, kind.graph_bytes)
    fields = {
        "runtime": kind.runtime,
        "model": kind.file,
        "games": _GAMES,
        "num_games": num_games,
        "k": device.k,
        "max_history": kind.max_history,
        "technique": type(scorer.embedding).__name__,
        "dim": scorer.embedding.dim,
        "bits": bits,
        "head": type(trained.task).__name__,
        **trained.facts,
        "bytes": made.sizes,
        "full_table_bytes": scorer.embedding.full_bytes,
        "full_model_bytes": scorer.num_bytes - scorer.embedding.num_bytes + scorer.embedding.full_bytes,
        "metrics": "not measured",
    }
    files = {kind.file: made.data, _GAMES: pack_games(_games(trained, num_games))}
    histories = _histories(trained, scorer.embedding.num_ids, kind.max_history)
    before = _measured(trained, scorer)
    found = costs = after = None
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        trial = Path(folder) / "bundle"
        write_bundle(trial, *_with_card(files, fields, kind.use))
        rank = kind.open(trial)
        if rank is not None:
            artifact = Artifact(rank, scorer.embedding.num_ids)
            found = agreement(artifact.rank, scorer, histories)
            check_agreement(found, bits)
            after = _measured(trained, artifact.scores)
            users = [row[row != PADDING_ID].tolist() or [UNKNOWN_ID] for history_BL in histories for row in history_BL]
            costs = speed(rank, trial, kind.probe(), users)
    files, fields = _with_card(files, {**fields, "metrics": after or "not measured"}, kind.use)
    write_bundle(output, files, fields)
    disk_bytes = sum(file.stat().st_size for file in output.iterdir())
    return report(Exported(output, fields, found, costs, before, scorer.embedding.num_bytes, disk_bytes))


class Artifact:
    """A bundle as a scorer of tensors.

    Args:
        rank_ids: what runs the bundle.
        num_ids: vocabulary V, padding and unknown included.
    """

    def __init__(self, rank_ids: RankIds, num_ids: int) -> None:
        self.rank_ids, self.num_ids = rank_ids, num_ids

    def rank(self, history_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return ids and scores [B, K] of the best games: a call for each user, as on a device."""
        found = []
        for history_L in history_BL:
            known_L = history_L[history_L != PADDING_ID]
            history_1L = (known_L if len(known_L) else history_L.new_zeros(1))[None]
            found.append(self.rank_ids(history_1L.numpy()))
        ids, scores = zip(*found, strict=True)
        return torch.from_numpy(np.concatenate(ids)), torch.from_numpy(np.concatenate(scores))

    def scores(self, history_BL: Tensor) -> Tensor:
        """Return scores [B, V]: of games that the artifact does not return one below all others."""
        ids_BK, scores_BK = self.rank(history_BL)
        scores_BV = torch.full((len(ids_BK), self.num_ids), _LOWEST)
        return scores_BV.scatter(1, ids_BK, scores_BK.clamp(min=_LOWEST))


def _load(path: Path, data_path: str | None) -> Trained:
    """Read a checkpoint and, where it is to be had, its dataset."""
    settings = checkpoint_settings(path, command="fit")
    try:
        checkpoint = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        kind = getattr(tasks, settings["model"]["class_path"].rpartition(".")[2])
        task = kind.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    except (RuntimeError, AttributeError, TypeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"'{path}' does not fit this version of the model: {str(error).splitlines()[0][:200]}",
            wanted="a checkpoint that train.py of this version wrote",
            fix="train again",
        ) from error
    known = settings.get("data", {}).get("path")
    place = data_path or (known if known and (Path(known) / MANIFEST_FILE).is_file() else None)
    data = RankingData(place) if place else None
    digest = checkpoint.get("dataset_digest")
    if data is not None and data.dataset.manifest.digest != digest:
        raise CheckpointError(
            f"the checkpoint was trained on the dataset {digest}, and '{place}' is {data.dataset.manifest.digest}",
            wanted="the dataset that it was trained on",
            fix="pass it with --data.path",
        )
    name = "".join(
        letter if letter.isprintable() else " " for letter in Path(place or known or "unknown").resolve().name
    )
    dataset: dict[str, Any] = {"name": name.strip() or "unknown", "digest": digest}
    if data is not None:
        manifest = data.dataset.manifest
        dataset |= {"source": manifest.source, "num_users": manifest.num_users, "seed": manifest.seed}
    done = progress_of(path)
    facts = {"dataset": dataset, "trained": {"epochs": done and done.epochs, "seed": settings.get("seed_everything")}}
    return Trained(task.eval(), data, facts)


def _games(trained: Trained, num_games: int) -> list[tuple[str, str]]:
    """Return own id and title of each game; without a dataset its number."""
    if trained.data is None:
        return [(name, name) for name in map(str, range(FIRST_GAME_ID, FIRST_GAME_ID + num_games))]
    games = trained.data.dataset.games().sort_by("id")
    own = [str(game) for game in games["game"].to_pylist()]
    return [(game, title or game) for game, title in zip(own, games["title"].to_pylist(), strict=True)]


def _histories(trained: Trained, num_ids: int, longest: int | None) -> list[Tensor]:
    """Return histories to compare by: of test users, or without a dataset drawn as popular games are played.

    Of longer ones the last `longest` games, as the artifact takes them: only its metrics say what the rest was worth.
    """
    if trained.data is not None:
        loader = trained.data.query_loader(trained.data.dataset.queries(TEST))
        rows = [row for key in loader.sampler for row in loader.dataset[key].history]
        rows = [rows[place] for place in torch.linspace(0, len(rows) - 1, min(len(rows), _COMPARED_USERS)).long()]
    else:
        generator = torch.Generator().manual_seed(0)
        chance_G = 1 / torch.arange(1, num_ids - FIRST_GAME_ID + 1)
        drawn = torch.multinomial(chance_G, _COMPARED_USERS * 8, replacement=True, generator=generator)
        rows = list(drawn.view(-1, 8) + FIRST_GAME_ID)
    rows = [row[-(longest or len(row)) :] for row in rows]
    batches = [rows[first : first + _BATCH] for first in range(0, len(rows), _BATCH)]
    return [torch.nn.utils.rnn.pad_sequence(batch, batch_first=True, padding_value=PADDING_ID) for batch in batches]


def _measured(trained: Trained, score: Score) -> Values | None:
    """Return nDCG@10 of all test users; None without a dataset."""
    if trained.data is None:
        return None
    values, _ = measure(score, trained.data, trained.data.dataset.queries(TEST), [10])
    return {name: values[name] for name in ("ndcg@10", "recall@10")}


def _with_card(
    files: Mapping[str, bytes], fields: Mapping[str, Any], use: str
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return files with the model card, and fields with the bytes of all files."""
    sizes = {name: size for name, size in fields["bytes"].items() if name not in ("games", "card", "total")}
    sizes["games"] = len(files[_GAMES])
    card = model_card({**fields, "bytes": sizes}, use)
    sizes["card"] = len(card)
    sizes["total"] = sum(sizes.values())
    return {**files, _CARD: card}, {**fields, "bytes": sizes}
