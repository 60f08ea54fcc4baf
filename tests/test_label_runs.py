"""The commands from end to end on labelled datasets, in this process."""

import pyarrow.parquet as pq
import pytest

import data_prep
from memcom_rank.__main__ import main
from tests.command import DIM, fit, run
from tests.label_log import write_label_log
from tests.test_cli import columns, summary

RECIPE = {"recipe": "classifier_label.yaml", "small": ()}


@pytest.fixture(scope="module")
def trained(labelled, tmp_path_factory):
    return fit(tmp_path_factory.mktemp("trained"), labelled, epochs=20, **RECIPE)


@pytest.mark.slow
def test_a_classifier_beats_the_majority_and_says_so(trained):
    found = summary(trained)
    assert found["test.accuracy"] > 0.8 > found["baselines.majority.accuracy"] + 0.1
    assert found["test.accuracy.low"] < found["test.accuracy"] < found["test.accuracy.high"]
    assert found["test.accuracy"] > found["baselines.naive_bayes.accuracy"] - 0.1
    assert found["best.val.accuracy"] == max(columns(trained)["val/accuracy"])
    assert not [key for key in found if "ndcg" in key]
    assert "600 users, 60 games, 2 labels" in trained.out
    for line in ("classifier, MEmCom", "majority", "naive_bayes", "label: no", "label: yes", "history: 6-20 games"):
        assert line in trained.out, line
    assert "val/accuracy" in trained.out


@pytest.mark.slow
def test_users_of_the_test_and_their_slices(trained, labelled):
    users = pq.read_table(trained.folder / "users_test.parquet")
    assert users.column_names == ["user", "accuracy", "history_length", "label"]
    table = pq.read_table(labelled / "labels.parquet").to_pylist()
    names = pq.read_table(labelled / "histories.parquet")["user"].to_pylist()
    wanted = [(names[row["row"]], row["label"]) for row in table if row["split"] == "test"]
    assert list(zip(users["user"].to_pylist(), users["label"].to_pylist(), strict=True)) == wanted
    for label in ("no", "yes"):
        own = [row["accuracy"] for row in users.to_pylist() if row["label"] == label]
        assert summary(trained)[f"test.slices.label_{label}.users"] == len(own)
        assert summary(trained)[f"test.slices.label_{label}.accuracy"] == pytest.approx(sum(own) / len(own))


@pytest.mark.slow
def test_predictions_and_the_test_say_the_same(trained, labelled, tmp_path):
    words = ("--config", trained.folder / "config.yaml", "--ckpt_path", trained.folder)
    ran = run(tmp_path, "predict", *words)
    assert ran.status == 0, ran.err
    assert "600 rows (user, rank, label, probability)" in ran.out
    told = {row["user"]: row for row in pq.read_table(ran.folder / "predictions.parquet").to_pylist()}
    for row in pq.read_table(trained.folder / "users_test.parquet").to_pylist():
        assert (told[row["user"]]["label"] == row["label"]) == (row["accuracy"] == 1)
        assert 0.5 <= told[row["user"]]["probability"] <= 1
    all_labels = run(tmp_path, "predict", *words, "--model.init_args.top_k", 2)
    assert pq.read_table(all_labels.folder / "predictions.parquet").num_rows == 1200


@pytest.mark.slow
def test_two_runs_are_compared_and_validate_repeats_the_best_epoch(trained, labelled, tmp_path, capsys):
    other = fit(tmp_path, labelled, *DIM, epochs=1, **RECIPE)
    assert main(["diff", str(other.folder), str(trained.folder)]) == 0
    told = capsys.readouterr().out
    assert f"accuracy{summary(other)['test.accuracy']:>17.4f}{summary(trained)['test.accuracy']:>9.4f}" in told
    ran = run(tmp_path, "validate", "--config", "classifier_label.yaml", "--ckpt_path", trained.folder)
    assert summary(ran)["val.accuracy"] == summary(trained)["best.val.accuracy"]
    assert 0 < summary(ran)["baselines.majority.accuracy"] < 1


@pytest.mark.slow
def test_the_label_of_the_next_game(tmp_path):
    """Five genres; a user's taste leaves two or three of them."""
    source = write_label_log(tmp_path / "log.csv", users=1500)
    timed = {"user": "user", "game": "game", "label": "genre", "timestamp": "day"}
    data_prep.build("table", tmp_path / "genre", input=source, **timed)
    found = summary(fit(tmp_path, tmp_path / "genre", epochs=15, **RECIPE))
    assert found["test.accuracy"] > found["baselines.majority.accuracy"] + 0.08
    assert found["test.accuracy@3"] > found["baselines.majority.accuracy@3"] + 0.15
    assert found["test.accuracy"] < 0.6  # the game itself would give it away


@pytest.mark.slow
def test_training_does_not_go_on_under_another_recipe(trained, tmp_path):
    words = ("--ckpt_path", trained.folder, "--trainer.max_epochs", 21)
    wrong = run(tmp_path, "fit", "--config", "ranknet.yaml", *words)
    assert wrong.status == 1
    assert "monitors val/ndcg@10, and LabelClassifier does not measure it" in wrong.err
    right = run(tmp_path, "fit", "--config", "classifier_label.yaml", *words)
    assert right.status == 0, right.err
    assert summary(right)["epochs"] == 21
    assert summary(right)["best.val.accuracy"] >= summary(trained)["best.val.accuracy"]


def test_each_recipe_refuses_the_other_kind_of_dataset(tiny, labelled, tmp_path):
    ranking = run(tmp_path, "fit", "--config", "ranknet.yaml", "--data.path", labelled)
    assert ranking.status == 1
    assert "ConfigError: RankNet on" in ranking.err
    assert "--config classifier_label.yaml" in ranking.err
    labels = run(tmp_path, "fit", "--config", "classifier_label.yaml", "--data.path", tiny)
    assert labels.status == 1
    assert "ConfigError: LabelClassifier on a dataset without labels" in labels.err
    assert "Traceback" not in ranking.err + labels.err
    assert not list((tmp_path / "runs").glob("2*"))
