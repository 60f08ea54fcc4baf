import random
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import data_prep
from data_prep.cli import main
from data_prep.labels import add_user_split, keep_labelled, user_labels
from data_prep.leakage import leakage
from data_prep.options import Options
from data_prep.sources.table import read_table
from data_prep.split import SPLIT
from memcom_rank.contract.errors import ConfigError, InputError, MemcomRankError, SplitError
from memcom_rank.contract.manifest import read_manifest
from tests.label_log import write_label_log

COLUMNS = {"user": "user", "game": "game"}


def options(**changes: Any) -> Options:
    given = {"output": Path("out"), "input": Path("log.csv"), "label": "label", **COLUMNS, **changes}
    return Options("table", **given)


def log(*rows: tuple[Any, ...], timed: bool = False) -> pl.DataFrame:
    """Rows of user, game, label and, timed, a time."""
    names = ["user", "game", "label", *["timestamp"] * timed]
    return pl.DataFrame(rows, schema=names, orient="row", schema_overrides={"label": pl.String})


def users_of(rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    shown, users = user_labels(rows)
    return keep_labelled(shown, users)[1].rows()


def test_untimed_the_label_is_in_any_of_a_users_rows() -> None:
    rows = log((2, 7, "x"), (1, 7, None), (1, 8, "y"), (3, 7, None), (2, 9, "x"))
    shown, users = keep_labelled(*user_labels(rows))
    assert users.rows() == [(1, "y"), (2, "x")]
    assert shown.rows() == [(2, 7), (1, 7), (1, 8), (2, 9)]


def test_untimed_a_user_with_two_labels_is_named() -> None:
    with pytest.raises(InputError, match=r"1 users have several values of the label, e\.g\. user 4: x, y"):
        user_labels(log((1, 7, "x"), (4, 7, "y"), (4, 8, "x")))


def test_timed_the_label_is_that_of_the_last_row_whose_game_is_not_shown() -> None:
    rows = log(
        (1, 7, "x", 5), (1, 8, "y", 9), (1, 8, "x", 1),  # 8 is the last game, and was played before
        (2, 7, "y", 3), (2, 9, "x", 3), (2, 8, "y", 3),  # of one time the last game by id
        (3, 7, "x", 4),  # no game left
        (4, 7, "x", 1), (4, 8, None, 2),  # the last row has no label
        timed=True,
    )  # fmt: skip
    shown, users = user_labels(rows)
    assert users.rows() == [(1, "y"), (2, "x"), (3, "x")]
    shown, users = keep_labelled(shown, users)
    assert users.rows() == [(1, "y"), (2, "x")]
    assert shown.rows() == [(1, 7, 5), (2, 7, 3), (2, 8, 3)]


def test_timed_a_last_row_with_two_labels_is_named() -> None:
    with pytest.raises(InputError, match="user 'u': x, y"):
        user_labels(log(("u", "a", "z", 1), ("u", "b", "x", 2), ("u", "b", "y", 2), timed=True))


@pytest.mark.parametrize("timed", [False, True])
def test_the_order_of_rows_does_not_matter(timed: bool) -> None:
    draw = random.Random(0)
    rows = [(u, f"g{draw.randrange(9)}", "xy"[u % 2] if not timed else draw.choice("xyz"), t) for u in range(30) for t in range(4)]  # fmt: skip  # noqa: E501
    rows = [row if timed else row[:3] for row in rows]
    first = users_of(log(*rows, timed=timed))
    assert users_of(log(*draw.sample(rows, len(rows)), timed=timed)) == first
    assert len(first) > 20


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ([(1, 7, "x"), (2, 7, "x")], "2 users with a label and a game to show have 1 different labels"),
        ([(1, 7, None)], "the 0 users"),
        ([(u, 7, str(u)) for u in range(1001)], r"1,001 values for 1,001 users, e\.g\. '0'; is this a label\?"),
    ],
)
def test_too_few_and_too_many_labels(rows: list[tuple[Any, ...]], seen: str) -> None:
    with pytest.raises(InputError, match=seen):
        users_of(log(*rows))


def test_a_tenth_of_the_users_for_validation_and_for_test_by_the_seed() -> None:
    users = pl.DataFrame({"user": range(40), "label": ["x", "y"] * 20})
    found = [add_user_split(users, users, options(seed=seed))["split"].to_list() for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    assert [found[0].count(name) for name in SPLIT.categories] == [32, 4, 4]


def published(*parts: tuple[int, str]) -> pl.DataFrame:
    return pl.DataFrame(parts, schema={"user": pl.Int64, "split": SPLIT}, orient="row")


def test_a_published_split_of_users() -> None:
    users = pl.DataFrame({"user": [1, 2, 3], "label": ["x", "y", "x"]})
    rows = published((3, "train"), (1, "test"), (2, "validation"), (3, "train"))
    found = add_user_split(users, rows, options(split="column:part"))
    assert found["split"].to_list() == ["test", "validation", "train"]


def test_without_a_published_validation_part_a_tenth_of_the_training_users_is_drawn() -> None:
    users = pl.DataFrame({"user": range(30), "label": ["x", "y"] * 15})
    rows = published(*((user, "test" if user < 5 else "train") for user in range(30)))
    found = add_user_split(users, rows, options(split="column:part"))["split"].to_list()
    assert found[:5] == ["test"] * 5
    assert (found.count("validation"), found.count("train")) == (2, 23)


def test_a_user_in_two_published_splits_is_named() -> None:
    users = pl.DataFrame({"user": [1, 2], "label": ["x", "y"]})
    with pytest.raises(SplitError, match=r"values of the split, e\.g\. user 2: test, train"):
        add_user_split(users, published((1, "test"), (2, "test"), (2, "train")), options(split="column:part"))


def test_too_few_users_for_three_splits() -> None:
    with pytest.raises(SplitError, match="leaves no train users of 2"):
        add_user_split(pl.DataFrame({"user": [1, 2], "label": ["x", "y"]}), pl.DataFrame(), options())


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"split": "holdout"}, "--split holdout with --label"),
        ({"label": None, "split": "users"}, "--split users without --label"),
        ({"source": "steam200k", "user": None, "game": None}, "--label with --source steam200k"),
    ],
)
def test_options_that_do_not_go_together(changes: dict[str, Any], seen: str) -> None:
    given = {"source": "table", "label": "label", **COLUMNS, **changes}
    with pytest.raises(ConfigError, match=seen):
        Options(output=Path("out"), input=Path("log.csv"), **given)


def build(folder: Path, source: Path, **more: Any) -> dict[str, list[dict[str, Any]]]:
    data_prep.build("table", folder, input=source, **COLUMNS, **more)
    return {path.stem: pq.read_table(path).to_pylist() for path in folder.glob("*.parquet")}


@pytest.mark.parametrize("timed", [False, True])
def test_a_dataset_again_in_plain_python(tmp_path: Path, timed: bool) -> None:
    source = write_label_log(tmp_path / "log.csv", users=60)
    rows = [line.split(",") for line in source.read_text().splitlines()[1:]]
    more = {"label": "genre", "timestamp": "day"} if timed else {"label": "churn"}
    tables = build(tmp_path / "a", source, **more)
    own: dict[int, list[list[str]]] = {}
    for row in rows:
        own.setdefault(int(row[0]), []).append(row)
    assert [row["user"] for row in tables["histories"]] == sorted(own)
    names = {game["id"]: str(game["game"]) for game in tables["games"]}
    trained: list[str] = []
    for history, told in zip(tables["histories"], tables["labels"], strict=True):
        mine = sorted(own[history["user"]], key=lambda row: row[4])  # 8 different days
        games = [row[1] for row in mine if not timed or row[1] != mine[-1][1]]
        assert told["label"] == mine[-1][3 if timed else 2]
        found = [names.get(game) for game in history["games"]]
        assert set(found) - {None} <= set(games)
        assert len(found) == len(set(games))
        if timed:
            assert [game for game in dict.fromkeys(games) if game in found] == [game for game in found if game]
        if told["split"] == "train":
            assert None not in found
            trained += set(games)
    assert {names[game["id"]]: game["popularity"] for game in tables["games"]} == {
        game: trained.count(game) for game in trained
    }
    splits = [told["split"] for told in tables["labels"]]
    assert [splits.count(name) for name in SPLIT.categories] == [48, 6, 6]
    assert tables["validation"] == tables["test"] == tables["pairs"] == []
    manifest = read_manifest(tmp_path / "a")
    assert manifest.labels == sorted({told["label"] for told in tables["labels"]})
    trained = [told["label"] for told in tables["labels"] if told["split"] == "train"]
    counts = {f"label_{name}": trained.count(name) for name in manifest.labels}
    assert {key: n for key, n in manifest.splits["train"].items() if key.startswith("label_")} == counts
    assert not {"min_games", "pairs_per_user"} & set(manifest.options)
    found = leakage(tmp_path / "a", manifest)
    assert found["label"].startswith(
        "note: the build took that of each user's last row" if timed else "note: the log is"
    )
    assert not [line for line in found.values() if line.startswith("problem")]


def test_rows_in_any_order_give_the_same_bytes_and_every_label_counts(tmp_path: Path) -> None:
    source = write_label_log(tmp_path / "log.csv", users=60)
    head, *lines = source.read_text().splitlines()
    for name, rows in {"b": random.Random(1).sample(lines, len(lines)), "c": lines[:-8]}.items():
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n")
    for name in "abc":
        build(tmp_path / name, tmp_path / f"{name}.csv" if name != "a" else source, label="churn")
    first, other, fewer = (read_manifest(tmp_path / name).digest for name in "abc")
    assert first == other != fewer
    build(tmp_path / "d", source, label="churn", seed=2)
    assert read_manifest(tmp_path / "d").digest != first


def test_unseen_games_and_labels_of_held_out_users_are_counted(tmp_path: Path) -> None:
    lines = ["u,g,y,part", "1,a,x,train", "1,b,x,train", "2,a,y,train", "3,a,x,validation", "4,c,z,test", "5,a,y,test"]
    (tmp_path / "log.csv").write_text("\n".join([*lines, "5,d,y,test", "6,a,,test"]) + "\n")
    manifest = data_prep.build(
        "table", tmp_path / "out", input=tmp_path / "log.csv", user="u", game="g", label="y", split="column:part"
    )
    assert manifest.steps["users"] == 6
    assert manifest.steps["label"] == manifest.num_users == 5
    assert manifest.splits["test"] == {"rows": 3, "users": 2, "unknown_rows": 2, "cold_users": 1, "unknown_labels": 1}
    histories = pq.read_table(tmp_path / "out/histories.parquet")["games"].to_pylist()
    assert histories == [[2, 3], [2], [2], [1], [1, 2]]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (pl.Series([True, False, None]), ["true", "false", None]),
        (pl.Series([3, 1, None]), ["3", "1", None]),
        (pl.Series([1.0, float("nan"), 0.0]), ["1.0", None, "0.0"]),
        (pl.Series(["x", "", "y"]), ["x", None, "y"]),
        (pl.Series(["x", "y", None], dtype=pl.Categorical), ["x", "y", None]),
    ],
)
def test_labels_of_every_plain_type_are_read_as_text(tmp_path: Path, values: pl.Series, wanted: list[Any]) -> None:
    pl.DataFrame({"user": [1, 2, 3], "game": [1, 1, 1], "label": values}).write_parquet(tmp_path / "log.parquet")
    found = read_table(options(input=tmp_path / "log.parquet"))["label"]
    assert found.to_list() == wanted


def test_a_label_column_of_lists_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"user": [1], "game": [1], "label": [[1]]}).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(MemcomRankError, match="column label is List"):
        build(tmp_path / "out", tmp_path / "log.parquet", label="label")


def test_the_command_line_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write_label_log(tmp_path / "log.csv"), tmp_path / "out"
    words = ["build", "--source", "table", "--input", source, "--user", "user", "--game", "game", "--label", "churn"]
    assert main([str(word) for word in [*words, "--output", out]]) == 0
    told = capsys.readouterr().out
    assert f"next: python train.py fit --config classifier_label.yaml --data.path {out}" in told
    assert "label                  277 training users (57.7%): no\n" in told
    assert "problem" not in told
