from memcom_rank.callbacks import summary_table as module
from memcom_rank.tasks import RankNet

SUMMARY = {
    "command": "fit",
    "embedding.technique": "MEmCom",
    "embedding.bytes": 1_000,
    "embedding.full_bytes": 4_000,
    "embedding.ratio": 4.0,
    "model.bytes": 2_000,
    "model.full_bytes": 5_000,
    "test.ndcg@10": 0.25,
    "test.mrr": 0.5,
    "baselines.popularity.ndcg@10": 0.125,
    "baselines.ease.skipped": "too many games",
    "synthetic.bayes.ndcg@10": 0.3,
    "run": "runs/a",
    "checkpoint": "runs/a/checkpoints/best.ckpt",
}


def summary_table(summary, stage, **other):
    shown = {"role": RankNet.role, "columns": RankNet.columns, "sliced": RankNet.headline}
    return module.summary_table(summary, stage, **{**shown, **other})


def words(summary, stage="test"):
    return [line.split() for line in summary_table(summary, stage).splitlines()]


def test_only_columns_that_were_measured_and_a_dash_where_a_row_has_none():
    found = words(SUMMARY)
    assert ["test", "ndcg@10", "mrr"] in found
    assert ["ranker,", "MEmCom", "(4.0x", "smaller)", "0.2500", "0.5000"] in found
    assert ["popularity", "0.1250", "-"] in found
    assert ["best", "possible", "(Bayes)", "0.3000", "-"] in found


def test_a_skipped_baseline_says_why():
    assert ["ease", "skipped:", "too", "many", "games"] in words(SUMMARY)


def test_sizes_are_recomputed_from_their_bytes():
    assert ["embedding", "1,000", "4,000", "4.0x"] in words(SUMMARY)
    assert ["whole", "model", "2,000", "5,000", "2.5x"] in words(SUMMARY)


def test_the_best_possible_figures_are_of_the_split():
    summary = {**{key.replace("test.", "val."): value for key, value in SUMMARY.items()}, "command": "validate"}
    found = words(summary, "val")
    assert not [line for line in found if line[:1] == ["best"]]
    again = words({**summary, "synthetic.bayes.validation.ndcg@10": 0.4}, "val")
    assert ["best", "possible", "(Bayes)", "0.4000", "-"] in again
    assert not [line for line in found if line[:1] == ["next"]]


def test_where_the_run_is():
    text = summary_table({**SUMMARY, "wandb.run": "runs/a/wandb/x", "wandb.offline": True}, "test")
    assert "W&B         offline; to upload: wandb sync runs/a/wandb/x\n" in text
    assert "predict --config runs/a/config.yaml --ckpt_path runs/a\n" in text
    assert "W&B" not in summary_table(SUMMARY, "test")
    online = summary_table({**SUMMARY, "wandb.run": "https://wandb.ai/x", "wandb.offline": False}, "test")
    assert "W&B         https://wandb.ai/x\n" in online


def test_intervals_stand_below_the_ranker():
    assert "95%" not in summary_table(SUMMARY, "test")
    ends = {"test.users": 40, "test.ndcg@10.low": 0.24, "test.ndcg@10.high": 0.26, "test.mrr.low": None}
    found = words({**SUMMARY, **ends})
    first = found.index(["ranker,", "MEmCom", "(4.0x", "smaller)", "0.2500", "0.5000"])
    assert found[first + 1 : first + 3] == [
        ["95%", "interval", "over", "users,", "from", "0.2400", "-"],
        ["to", "0.2600", "-"],
    ]


def test_slices_with_users_and_how_many():
    slices = {
        "head": {"users": 1234, "ndcg@10": 0.5, "ndcg@10.low": 0.25, "ndcg@10.high": 0.75},
        "cold": {"users": 0, "ndcg@10": None, "ndcg@10.low": None, "ndcg@10.high": None},
        "history_1-2": {"users": 3, "ndcg@10": 0.125, "ndcg@10.low": None, "ndcg@10.high": None},
    }
    flat = {f"test.slices.{name}.{key}": value for name, part in slices.items() for key, value in part.items()}
    found = words({**SUMMARY, **flat})
    first = found.index(["slice", "of", "the", "users", "ndcg@10", "95%", "from", "to", "users"])
    assert found[first + 1 : first + 3] == [
        ["held-out", "game:", "head", "0.5000", "0.2500", "0.7500", "1,234"],
        ["history:", "1-2", "games", "0.1250", "-", "-", "3"],
    ]
    assert not [line for line in found if "cold" in line]
    nobody = {key: value for key, value in flat.items() if ".cold." in key}
    assert "slice of the users" not in summary_table({**SUMMARY, **nobody}, "test")


def test_a_classifier_has_columns_and_slices_of_its_own():
    own = {
        "test.accuracy": 0.75,
        "test.users": 30,
        "baselines.majority.accuracy": 0.5,
        "baselines.naive_bayes.smoothing": 1.0,
        "test.slices.label_a.b.users": 30,  # whatever a label is called
        "test.slices.label_a.b.accuracy": 0.75,
        "test.slices.label_a.b.accuracy.low": None,
        "test.slices.label_a.b.accuracy.high": 0.8,
    }
    shared = {key: value for key, value in SUMMARY.items() if not key.startswith(("test.", "baselines.", "synthetic."))}
    text = summary_table({**shared, **own}, "test", role="classifier", columns=("accuracy",), sliced="accuracy")
    found = [line.split() for line in text.splitlines()]
    assert ["classifier,", "MEmCom", "(4.0x", "smaller)", "0.7500"] in found
    assert ["majority", "0.5000"] in found
    assert ["naive_bayes", "-"] in found
    assert ["label:", "a.b", "0.7500", "-", "0.8000", "30"] in found


def test_names_of_any_length_and_letters_keep_to_their_column():
    names = ["label: line\nbreak", "label: " + "x" * 60]
    rows = {}
    for name in names:
        key = f"test.slices.{name.replace(': ', '_')}"
        rows |= {f"{key}.ndcg@10": 0.5, f"{key}.ndcg@10.low": 0.4, f"{key}.ndcg@10.high": 0.6, f"{key}.users": 3}
    lines = [line for line in summary_table({**SUMMARY, **rows}, "test").splitlines() if line.startswith("label")]
    assert [line[:34].rstrip() for line in lines] == ["label: line break", "label: " + "x" * 25 + "…"]
    assert {line[34:].split()[0] for line in lines} == {"0.5000"}
