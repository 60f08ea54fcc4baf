import pytest
import torch

from memcom_rank.contract.errors import CheckpointError, ConfigError
from memcom_rank.tasks import LabelClassifier
from tests.data.tiny import labelled_clusters
from tests.tasks.small import NO_SAMPLES, SMALL_MEMCOM, StopAfter, data, trainer, weights


@pytest.fixture
def labelled(tmp_path):
    return str(labelled_clusters(tmp_path / "labelled"))


def task(**options):
    torch.manual_seed(0)
    return LabelClassifier(18, 2, SMALL_MEMCOM, **{"dim": 8, "learning_rate": 0.05, **options})


def fitted(folder, *, model=None, loaders=None, resume=None, **options):
    made = trainer(**options)
    made.fit(model or task(), data(folder, **{**NO_SAMPLES, **(loaders or {})}), ckpt_path=resume, weights_only=True)
    return made


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("widths", [(), (8,)])
def test_learns_which_games_tell_the_label(labelled, precision, widths):
    made = fitted(labelled, model=task(widths=widths), precision=precision, max_epochs=20)
    (found,) = made.test(made.lightning_module, made.datamodule, verbose=False)
    assert found["test/accuracy"] > 0.95
    assert set(made.callback_metrics) >= {"test/accuracy"}


def test_the_logged_keys(labelled):
    made = fitted(labelled)
    assert set(made.callback_metrics) == {"train/loss", "val/accuracy"}
    other = LabelClassifier(18, 5, SMALL_MEMCOM, dim=8, ks=[3, 4, 5])
    assert other.columns == ("accuracy", "accuracy@3", "accuracy@4")


def test_the_loss_is_the_mean_of_minus_log_softmax(labelled):
    model = task(dropout=0.0)
    batch = next(iter(data(labelled, **NO_SAMPLES).train_dataloader()))
    scores, losses = model(batch.history).double(), []
    for own, label in zip(scores, batch.labels, strict=True):
        losses.append((own.exp().sum().log() - own[label]).item())
    assert model.training_step(batch, 0).item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_test_step_says_who_was_right(labelled):
    model = task().eval()
    for batch in data(labelled, **NO_SAMPLES).test_dataloader():
        found = model.test_step(batch, 0)
        right = model(batch.history).argmax(1) == batch.labels
        assert torch.equal(found["row"], batch.rows)
        assert found["accuracy"].tolist() == right.double().tolist()


def test_predictions_are_probabilities_most_probable_first(labelled):
    model = task(top_k=9).eval()  # no more than there are
    loader = data(labelled, **NO_SAMPLES)
    rows, labels, probabilities = (torch.cat(parts) for parts in zip(*trainer().predict(model, loader), strict=True))
    assert rows.sort().values.tolist() == list(range(60))
    torch.testing.assert_close(probabilities.sum(1), torch.ones(60))
    assert (probabilities[:, 0] >= probabilities[:, 1]).all()
    own = loader.dataset.histories.padded(rows[:1])
    assert labels[0, 0] == model(own).argmax()


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_a_diverged_model_is_refused(labelled, command):
    model = task()
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, torch.nan)
    with pytest.raises(ConfigError, match="diverged"):
        getattr(trainer(), command)(model, data(labelled, **NO_SAMPLES))


def test_a_dataset_of_held_out_games_is_refused(folder):
    with pytest.raises(ConfigError, match=r"without labels(.|\n)*--label COL(.|\n)*ranknet\.yaml"):
        LabelClassifier(18, data(folder).num_labels, SMALL_MEMCOM)


@pytest.mark.parametrize(
    ("loaders", "seen"),
    [({"num_negatives": 8}, "num_negatives is 8"), ({"num_graded": 1}, "num_graded is 1"), ({"batch_size": 1}, "is 1")],
)
def test_batches_that_do_not_fit_are_refused(labelled, loaders, seen):
    with pytest.raises(ConfigError, match=seen):
        fitted(labelled, loaders=loaders)


def test_no_label_to_predict_is_refused():
    with pytest.raises(ConfigError, match="top_k is 0"):
        task(top_k=0)


def test_a_checkpoint_keeps_to_its_dataset_and_goes_on_bit_for_bit(labelled, tmp_path):
    whole = fitted(labelled, max_epochs=4)
    half = fitted(labelled, max_epochs=4, callbacks=[StopAfter(epochs=2)])
    half.save_checkpoint(tmp_path / "half.ckpt")
    resumed = fitted(labelled, resume=tmp_path / "half.ckpt", max_epochs=4)
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(resumed)[name]), name
    other = labelled_clusters(tmp_path / "other", digest="sha256:1")
    with pytest.raises(CheckpointError, match="trained on the dataset sha256:0"):
        fitted(other, resume=tmp_path / "half.ckpt", max_epochs=4)
