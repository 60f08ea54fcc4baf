"""What every task does alike: metrics, predictions, checkpoints, gradient clipping."""

import pytest
import torch

from memcom_rank.contract.errors import CheckpointError
from memcom_rank.embeddings import Full
from memcom_rank.models import LogSumExpMatch
from memcom_rank.tasks import Classifier, PaperClassifier, RankNet
from tests.data.tiny import two_clusters
from tests.tasks.small import SMALL_MEMCOM, data, fitted, task, trainer, weights

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
    start = task(kind=kind).state_dict()["ranker.embedding.rows_MD"]
    moved = [(weights(made)["ranker.embedding.rows_MD"] - start).norm() for made in (still, free)]
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
