import json
import math

import numpy as np
import pytest

from memcom_rank.callbacks import report, user_metrics
from memcom_rank.compare import compare_runs, diff
from memcom_rank.contract.errors import CheckpointError, ConfigError, DatasetError
from tests.compare.runs import write_run

USERS = [f"u{n}" for n in range(40)]
SCORES = np.random.default_rng(0).random(40)


def rows(table):
    """The table's lines by metric: [A, B, B - A, low, high, verdict]."""
    lines = table.split("\n\n")[1].splitlines()[1:]
    words = [line.replace("[", " ").replace("]", " ").replace(",", " ").split(maxsplit=6) for line in lines]
    return {name: [*map(float, numbers), verdict] for name, *numbers, verdict in words}


def test_the_table(tmp_path):
    a = write_run(tmp_path / "a", users=USERS, ndcg_at_10=SCORES, mrr=SCORES, recall_at_5=SCORES)
    b = write_run(tmp_path / "b", users=USERS, ndcg_at_10=SCORES + 0.25, mrr=SCORES, recall_at_5=SCORES - 0.5)
    table = compare_runs(a, b)
    assert table.splitlines()[:3] == [
        f"A  {a}: MEmCom, 4.0x smaller, seed 3",
        f"B  {b}: MEmCom, 4.0x smaller, seed 3",
        "40 test users of sha256:0123456789ab",
    ]
    mean = round(SCORES.mean(), 4)
    assert rows(table) == {
        "ndcg@10": [mean, pytest.approx(mean + 0.25), 0.25, 0.25, 0.25, "better"],
        "mrr": [mean, mean, 0, 0, 0, "not resolved"],
        "recall@5": [mean, pytest.approx(mean - 0.5), -0.5, -0.5, -0.5, "worse"],
    }


def test_a_baseline_goes_by_its_name(tmp_path):
    a = write_run(tmp_path / "a", users=USERS, mrr=SCORES)
    b = write_run(tmp_path / "b", users=USERS, mrr=SCORES)
    summary = {"baseline": "item_knn", "dataset.digest": "sha256:0123456789abcdef0123", "seed": 1}
    (b / "summary.json").write_text(json.dumps(summary))
    assert compare_runs(a, b).splitlines()[1] == f"B  {b}: item_knn, seed 1"


def test_users_are_matched_by_user_not_by_row(tmp_path):
    order = np.random.default_rng(1).permutation(40)
    a = write_run(tmp_path / "a", users=USERS, mrr=SCORES)
    b = write_run(tmp_path / "b", users=[USERS[n] for n in order], mrr=SCORES[order] + 0.01)
    assert rows(compare_runs(a, b))["mrr"][2:] == [0.01, 0.01, 0.01, "better"]


def test_one_metric_and_those_of_both(tmp_path):
    a = write_run(tmp_path / "a", users=USERS, ndcg_at_10=SCORES, mrr=SCORES, recall_at_20=SCORES)
    b = write_run(tmp_path / "b", users=USERS, mrr=SCORES, ndcg_at_10=SCORES, recall_at_50=SCORES)
    assert list(rows(compare_runs(a, b))) == ["ndcg@10", "mrr"]
    assert list(rows(compare_runs(a, b, "mrr"))) == ["mrr"]
    with pytest.raises(ConfigError, match=r"--metric recall@20\n  wanted: one that both runs have: ndcg@10, mrr"):
        compare_runs(a, b, "recall@20")


def test_one_user(tmp_path):
    a, b = (write_run(tmp_path / name, users=[7], mrr=[value]) for name, value in (("a", 0.5), ("b", 1.0)))
    assert rows(compare_runs(a, b))["mrr"][2:] == [0.5, 0.5, 0.5, "not resolved"]


def test_other_datasets(tmp_path):
    a = write_run(tmp_path / "a", users=USERS, mrr=SCORES)
    b = write_run(tmp_path / "b", users=USERS, mrr=SCORES, digest="sha256:other")
    with pytest.raises(DatasetError, match=r"datasets:\n.*a: sha256:0123.*\n.*b: sha256:other(.|\n)*train both"):
        compare_runs(a, b)


@pytest.mark.parametrize("users", [USERS[:-1], [*USERS[:-1], "stranger"]])
def test_other_users(tmp_path, users):
    a = write_run(tmp_path / "a", users=USERS, mrr=SCORES)
    b = write_run(tmp_path / "b", users=users, mrr=SCORES[: len(users)])
    with pytest.raises(CheckpointError, match=f"different users: 40 and {len(users)}"):
        compare_runs(a, b)


@pytest.mark.parametrize("file", ["summary.json", "users_test.parquet"])
def test_a_missing_file_and_a_damaged_one(tmp_path, file):
    a = write_run(tmp_path / "a", users=USERS, mrr=SCORES)
    (a / file).write_bytes(b"PAR1 [")
    with pytest.raises(CheckpointError, match=r"the test of '.*a' cannot be read"):
        compare_runs(a, a)
    (a / file).unlink()
    with pytest.raises(CheckpointError, match=f"no {file} in '.*a'"):
        compare_runs(a, a)
    with pytest.raises(CheckpointError, match=r"no summary\.json in '.*nowhere'"):
        compare_runs(tmp_path / "nowhere", a)


@pytest.mark.parametrize("summary", [[], {}, {"dataset.digest": None}])
def test_a_summary_without_a_digest(tmp_path, summary):
    a = write_run(tmp_path / "a", users=USERS, mrr=SCORES)
    (a / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(CheckpointError, match=r"the test of '.*a'"):
        compare_runs(a, a)


@pytest.mark.parametrize("users", [[], ["u1", "u1"]])
def test_no_users_and_users_with_two_rows(tmp_path, users):
    a = write_run(tmp_path / "a", users=users, mrr=[0.5] * len(users))
    with pytest.raises(CheckpointError, match=f"holds no users, users with two rows, or no digest: {len(users)} rows"):
        compare_runs(a, a)


@pytest.mark.parametrize("odd", [math.nan, math.inf, None])
def test_a_user_without_a_finite_metric(tmp_path, odd):
    a = write_run(tmp_path / "a", users=USERS, mrr=SCORES, ndcg=SCORES)
    b = write_run(tmp_path / "b", users=USERS, mrr=SCORES, ndcg=[odd, *SCORES[2:], odd])
    with pytest.raises(CheckpointError, match=r"the test of '.*b' holds no finite ndcg for 2 users"):
        compare_runs(a, b)
    assert list(rows(compare_runs(a, b, "mrr"))) == ["mrr"]


def test_the_files_are_those_that_a_run_writes():
    assert (diff.SUMMARY_FILE, diff.USERS_FILE) == (report.SUMMARY_FILE, user_metrics.USER_METRICS_FILE)
