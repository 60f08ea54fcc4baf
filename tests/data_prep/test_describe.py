import dataclasses

from data_prep.describe import describe
from memcom_rank.contract.manifest import Manifest

MANIFEST = Manifest(
    source="steam200k",
    options={"input": "log.csv", "pairs_per_user": 64},
    seed=5,
    user_type="int64",
    game_type="string",
    timed=False,
    num_users=12_393,
    num_games=5_117,
    grade_edges_hours=[1.0, 4.4],
    steps={"read": 200_000, "clean": 128_804},
    splits={
        "train": {"rows": 121_290, "popularity_gini": 0.7747, "grade_1": 54_908, "grade_2": 9, "grade_3": 8,
                  "grade_4": 7, "later_than_own_test": 3},
        "validation": {"rows": 3_757, "users": 3_757},
        "test": {"rows": 3_756, "unknown_rows": 18},
    },
    references={"synthetic.bayes.ndcg@10": 0.23014},
    digest="sha256:b8ae",
)  # fmt: skip


def test_everything_a_reader_asks_for() -> None:
    assert describe(MANIFEST).splitlines() == [
        "dataset      steam200k, seed 5, untimed",
        "options      input log.csv, pairs_per_user 64",
        "users        12,393 (int64 ids)",
        "games        5,117 (string ids)",
        "steps        read 200,000 -> clean 128,804",
        "",
        "train        rows 121,290, popularity_gini 0.7747",
        "validation   rows 3,757, users 3,757",
        "test         rows 3,756, unknown_rows 18",
        "",
        "grade 1             54,908 training rows, owned, never played",
        "grade 2                  9 training rows, up to 1 h",
        "grade 3                  8 training rows, up to 4.4 h",
        "grade 4                  7 training rows, over 4.4 h",
        "reference    synthetic.bayes.ndcg@10 0.2301",
        "digest       sha256:b8ae",
    ]


def test_one_played_grade_has_no_edges() -> None:
    manifest = dataclasses.replace(MANIFEST, grade_edges_hours=[], splits={"train": {"grade_1": 3, "grade_2": 4}})
    assert "grade 2                  4 training rows, played" in describe(manifest).splitlines()
