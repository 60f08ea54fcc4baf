"""What every task does alike: metrics, predictions, checkpoints, gradient clipping."""

import os
from pathlib import Path

import pytest
import torch

from memcom_rank.contract.errors import CheckpointError
from memcom_rank.embeddings import Full
from memcom_rank.models import LogSumExpMatch
from memcom_rank.tasks import Classifier, PaperClassifier, RankNet
from tests.data.tiny import two_clusters
from tests.tasks import two_processes
from tests.tasks.small import SMALL_MEMCOM, data, fitted, task, trainer, weights
from tests.test_distributed import together

KINDS = pytest.mark.parametrize("kind", [RankNet, Classifier, PaperClassifier])


@KINDS
def test_the_logged_keys(folder, kind):
    made = fitted(folder, model=task(kind=kind))
    metrics = {f"{name}{at}" for name in ("ndcg", "graded_ndcg") for at in ("@3", "")} | {
        "recall@3",
        "coverage@3",
        "mrr",
    }
    assert set(made.callback_metrics) == {"train/loss"} | {f"val/{name}" for name in metrics}
    (found,) = made.test(made.lightning_module, made.datamodule, verbose=False)
    assert set(found) == {f"test/{name}" for name in metrics}


@KINDS
def test_prediction_is_the_best_unseen_games(folder, kind):
    model = task(kind=kind, embedding=Full).eval()  # no two games alike at the start
    found = trainer().predict(model, data(folder))
    rows, ids, scores = (torch.cat(parts) for parts in zip(*found, strict=True))
    assert rows.sort().values.tolist() == list(range(40))
    assert ids.shape == scores.shape == (40, 4)
    known = data(folder).dataset.everything().histories
    for row, own_ids, own_scores in zip(rows, ids.tolist(), scores, strict=True):
        history = known.padded(row[None])
        wanted = model(history)[0]
        unseen = [game for game in range(2, 18) if game not in history.tolist()[0]]
        assert own_ids == sorted(unseen, key=lambda game: -wanted[game].item())[:4]
        torch.testing.assert_close(own_scores, wanted[own_ids])


@KINDS
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_can_be_clipped(folder, precision, kind):
    still = fitted(folder, model=task(kind=kind), precision=precision, gradient_clip_val=1e-12, max_epochs=1)
    free = fitted(folder, model=task(kind=kind), precision=precision, max_epochs=1)
    start = task(kind=kind).state_dict()["ranker.embedding.rows.rows_MW"]
    moved = [(weights(made)["ranker.embedding.rows.rows_MW"] - start).norm() for made in (still, free)]
    assert moved[0] < 0.01 * moved[1]


@KINDS
def test_a_checkpoint_holds_tensors_and_plain_values_only(folder, tmp_path, kind):
    made = fitted(folder, model=task(kind=kind))
    made.save_checkpoint(tmp_path / "a.ckpt")
    checkpoint = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert checkpoint["dataset_digest"] == made.datamodule.dataset.manifest.digest
    assert checkpoint["hyper_parameters"]["dim"] == 8
    assert checkpoint["datamodule_hyper_parameters"]["path"] == folder
    parts = {"embedding": SMALL_MEMCOM, "match": LogSumExpMatch(match_dim=4)}
    if kind is PaperClassifier:
        del parts["match"]
    loaded = kind.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, **parts)
    history = torch.tensor([[2, 4, 0], [3, 0, 0]])
    assert torch.equal(loaded.eval()(history), made.lightning_module.eval()(history))


@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_checkpoint_of_another_dataset_is_refused(folder, tmp_path, command):
    fitted(folder).save_checkpoint(tmp_path / "a.ckpt")
    other = data(str(two_clusters(tmp_path / "other", digest="sha256:1")))
    with pytest.raises(CheckpointError, match="trained on the dataset sha256:0, and this one is sha256:1"):
        getattr(trainer(), command)(task(), other, ckpt_path=tmp_path / "a.ckpt", weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Classifier", "RankNet"])
def test_two_processes_have_the_gradients_of_one_with_the_users_of_both(tmp_path, kind):
    """The second process hides 1 game where the first hides 8, so a mean of two means would be another."""
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    root = {"PYTHONPATH": os.pathsep.join(paths)}
    files = [str(tmp_path / f"{processes}.pt") for processes in (1, 2)]
    commands = [([two_processes.__file__, kind, str(n), file], root) for n, file in enumerate(files, 1)]
    found = together(tmp_path, *commands)
    assert [status for status, _, _ in found] == [0, 0], [err for _, _, err in found]
    one, two = (torch.load(file, weights_only=True) for file in files)
    assert all(gradient.any() for gradient in one.values())
    torch.testing.assert_close(two, one, rtol=1e-5, atol=1e-7)


def test_a_process_alone_needs_no_others():
    mean = torch.tensor(2.0)
    assert RankNet.over_processes(mean, torch.tensor(5.0)) is mean


@pytest.mark.parametrize(("totals", "wanted"), [([3.0, 1.0], 2.5), ([0.0, 4.0], 4.0), ([0.0, 0.0], 0.0)])
def test_the_average_over_processes_is_the_mean_over_their_weights(monkeypatch, totals, wanted):
    """Means 2 and 4, or 0 where a process has nothing; processes are played one after the other."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda total: total.fill_(sum(totals)))
    means = [mean if total else 0.0 for mean, total in zip((2.0, 4.0), totals, strict=True)]
    scaled = [
        RankNet.over_processes(torch.tensor(mean), torch.tensor(total))
        for mean, total in zip(means, totals, strict=True)
    ]
    assert sum(scaled).item() / 2 == wanted
