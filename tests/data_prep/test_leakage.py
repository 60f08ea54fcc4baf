"""Datasets made leaky by hand: each leak must be told, and only in the lines it belongs to."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import data_prep
from data_prep.leakage import leakage, leakage_report
from memcom_rank.contract.errors import DatasetError
from memcom_rank.contract.manifest import read_manifest
from memcom_rank.contract.schemas import file_name
from tests.data.tiny import write_tables

# user ids are 100, 101, ...; game 2 is owned by three, 3 by two, 4 and 5 by one; game 1 is unknown
CLEAN: dict[str, Any] = {
    "histories": [[2, 3], [4, 2], [2, 3, 5]],
    "validation": {0: [4], 1: [3]},
    "test": {0: [5], 1: [5, 1], 2: [1]},
    "pairs": [(0, 2, 3, 1.0), (2, 5, 2, 0.5)],
}
NAMES = ["users", "rows", "history", "pairs", "popularity", "times"]


def told(folder: Path, **changes: Any) -> dict[str, str]:
    write_tables(folder, **{**CLEAN, **changes})
    return leakage(folder, read_manifest(folder))


def problems(found: dict[str, str]) -> dict[str, str]:
    return {name: text.removeprefix("problem: ") for name, text in found.items() if text.startswith("problem: ")}


def replace(folder: Path, table: str, **columns: list[Any]) -> None:
    """Write other values into columns of a table."""
    path = folder / file_name(table)
    found = pq.read_table(path)
    for name, values in columns.items():
        place = found.schema.get_field_index(name)
        found = found.set_column(place, found.schema.field(name), pa.array(values, found.schema.field(name).type))
    pq.write_table(found, path)


LABELLED: dict[str, Any] = {
    "histories": [[2, 3], [2], [2, 3, 1], [1, 1], [3]],
    "labels": [("train", "a"), ("train", "b"), ("validation", "a"), ("test", "b"), ("test", "a")],
    "validation": {},
    "test": {},
    "pairs": [],
}


def test_a_clean_labelled_dataset(tmp_path: Path) -> None:
    assert told(tmp_path, **LABELLED) == {
        "users": "ok: 2 train, 1 validation, 2 test users, none in two",
        "rows": "ok: no (user, game) row is in two splits (3 held-out rows of games unknown to training left aside)",
        "popularity": "ok: that of all 2 games is their number of training users, recounted",
        "label": "note: the log is untimed, so whether games of the history came before the label is not known",
        "times": "note: users are held out, not times: training users' rows may be later than test users' labels",
    }


def test_a_user_in_two_splits(tmp_path: Path) -> None:
    write_tables(tmp_path, **LABELLED)
    replace(tmp_path, "histories", user=[100, 101, 102, 103, 100])
    found = problems(leakage(tmp_path, read_manifest(tmp_path)))
    assert found["users"] == "1 users are in two splits, 0 in none"
    assert set(found) == {"users", "rows"}  # its game is in both


def test_games_of_held_out_users_in_the_popularity(tmp_path: Path) -> None:
    write_tables(tmp_path, **LABELLED)
    replace(tmp_path, "games", popularity=[3, 3])
    found = problems(leakage(tmp_path, read_manifest(tmp_path)))
    assert set(found) == {"popularity"}
    assert "held-out rows are counted in" in found["popularity"]


def test_a_label_of_a_user_who_is_not_there(tmp_path: Path) -> None:
    write_tables(tmp_path, **LABELLED)
    replace(tmp_path, "labels", row=[0, 1, 2, 3, 5])
    with pytest.raises(DatasetError, match=r"labels\.parquet holds rows or ids from 0 to 5"):
        leakage(tmp_path, read_manifest(tmp_path))


def test_a_clean_dataset(tmp_path: Path) -> None:
    assert told(tmp_path) == {
        "users": "ok: one row each; also in training: 2 of 2 validation users, 3 of 3 test users"
        " (games are split, not users)",
        "rows": "ok: no (user, game) row is in two splits (2 held-out rows of games unknown to training left aside)",
        "history": "ok: 0 of 2 validation games and 0 of 4 test games are in the history that the ranker is shown",
        "pairs": "ok: both games of all 2 graded pairs are training games of their user",
        "popularity": "ok: that of all 4 games is their number of training users, recounted",
        "times": "note: the log is untimed, so nothing is known about what came first",
    }
    lines = leakage_report(tmp_path, read_manifest(tmp_path)).splitlines()
    assert lines[0] == "leakage"
    assert [line.split(" ")[0] for line in lines[1:]] == NAMES


def test_a_cold_user_is_not_in_training(tmp_path: Path) -> None:
    found = told(tmp_path, histories=[[2, 3], [], [2, 3, 5, 4]], pairs=())
    assert "1 of 2 validation users, 2 of 3 test users" in found["users"]
    assert not problems(found)


def test_a_test_game_in_training(tmp_path: Path) -> None:
    assert problems(told(tmp_path, test={0: [3], 1: [5]})) == {
        "rows": "of the (user, game) rows 1 are in both train and test",
        "history": "0 of 2 validation games and 1 of 2 test games (50.0%) are in the history that the ranker is shown",
    }


def test_a_validation_game_in_training(tmp_path: Path) -> None:
    assert problems(told(tmp_path, validation={1: [2, 4, 3]})) == {
        "rows": "of the (user, game) rows 2 are in both train and validation",
        "history": "2 of 3 validation games (66.7%) and 0 of 4 test games are in the history that the ranker is shown",
    }


def test_a_validation_game_that_is_tested_too(tmp_path: Path) -> None:
    """At test the validation games are shown, so this game is no candidate any more."""
    assert problems(told(tmp_path, test={0: [4], 1: [5]})) == {
        "rows": "of the (user, game) rows 1 are in both validation and test",
        "history": "0 of 2 validation games and 1 of 2 test games (50.0%) are in the history that the ranker is shown",
    }


def test_a_row_twice_in_its_split(tmp_path: Path) -> None:
    assert problems(told(tmp_path, test={0: [5, 5]})) == {"rows": "of the (user, game) rows 1 are twice in test"}


def test_pairs_of_held_out_games(tmp_path: Path) -> None:
    found = problems(told(tmp_path, pairs=[(0, 5, 2, 1.0), (1, 4, 2, 1.0), (2, 3, 4, 1.0)]))
    assert found == {"pairs": "2 games of 3 graded pairs are not training games of their user"}


def test_popularity_that_counts_held_out_rows(tmp_path: Path) -> None:
    told(tmp_path)
    replace(tmp_path, "games", popularity=[3, 3, 2, 3])
    found = problems(leakage(tmp_path, read_manifest(tmp_path)))
    assert found == {
        "popularity": "3 of 4 games, e.g. id 3: games.parquet says 3, its training users are 2;"
        " held-out rows are counted in"
    }


def test_popularity_that_is_just_wrong(tmp_path: Path) -> None:
    told(tmp_path)
    replace(tmp_path, "games", popularity=[3, 2, 1, 9])
    (found,) = problems(leakage(tmp_path, read_manifest(tmp_path))).values()
    assert found == "1 of 4 games, e.g. id 5: games.parquet says 9, its training users are 1"


def test_ids_that_tell_another_popularity(tmp_path: Path) -> None:
    """Ids by overall popularity would give held-out rows away to techniques that treat low ids better."""
    found = problems(told(tmp_path, histories=[[2, 3], [3], [3]], validation={}, test={}, pairs=()))
    assert found == {"popularity": "game ids are not in order of descending training popularity"}


def test_one_user_as_two(tmp_path: Path) -> None:
    """The second row's training game 5 is the first row's test game."""
    told(tmp_path)
    replace(tmp_path, "histories", user=[100, 101, 100])
    found = problems(leakage(tmp_path, read_manifest(tmp_path)))
    assert found["users"] == "1 rows of histories are of a user who has one already, and pass for other users"
    assert "1 are in both train and test" in found["rows"]
    assert "2 are twice in train" in found["rows"]
    assert "1 of 4 test games (25.0%)" in found["history"]


def test_a_user_who_is_tested_twice(tmp_path: Path) -> None:
    told(tmp_path)
    replace(tmp_path, "test", row=[0, 2, 2])
    found = problems(leakage(tmp_path, read_manifest(tmp_path)))
    assert found["users"] == "test lists 1 users again"


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("test", {"row": [0, 1, 3]}),
        ("test", {"games": [[5], [5, 1], [6]]}),
        ("histories", {"games": [[2, 3], [4, 1], [2, 3, 5]]}),
        ("pairs", {"row": [0, 7]}),
        ("games", {"id": [2, 3, 4, 9]}),
    ],
)
def test_numbers_that_the_manifest_does_not_know(tmp_path: Path, table: str, columns: dict[str, list[Any]]) -> None:
    told(tmp_path)
    replace(tmp_path, table, **columns)
    with pytest.raises(DatasetError, match=rf"{table}.parquet holds rows or ids from \d to \d\n  wanted: \d to \d,"):
        leakage(tmp_path, read_manifest(tmp_path))


@pytest.mark.parametrize("split", ["holdout", "leave-last-out", "time-cut"])
def test_what_the_build_makes_is_clean(tmp_path: Path, split: str) -> None:
    lines = [f"u{user},{(user * 7 + n * n) % 23},{user % 5 * 7 + 3 * n}" for user in range(40) for n in range(9)]
    (tmp_path / "log.csv").write_text("\n".join(["u,g,t", *lines]))
    columns = {"input": tmp_path / "log.csv", "user": "u", "game": "g", "timestamp": "t"}
    manifest = data_prep.build("table", tmp_path / "d", split=split, **columns)
    found = leakage(tmp_path / "d", manifest)
    assert list(found) == [*NAMES[:-1], "own times", "all times"]
    assert {name: text.split(":")[0] for name, text in found.items()} == {
        **dict.fromkeys(found, "ok"),
        **({} if split == "time-cut" else {"all times": "note"}),
        **({"own times": "note"} if split == "holdout" else {}),
    }
