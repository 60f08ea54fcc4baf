import dataclasses
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import data_prep
from memcom_rank.contract.errors import InputError, MemcomRankError, SplitError
from memcom_rank.contract.manifest import Manifest, read_manifest
from memcom_rank.contract.schemas import TABLES, check_schema, file_name

COLUMNS = {"user": "who", "game": "what", "title": "name", "engagement": "hours"}


def _rows(seed: int = 0, users: int = 30) -> list[str]:
    """Lines of a small log with duplicates, missing hours and titles that are not unique."""
    rng = random.Random(seed)
    hours = ["", "0", "0.3", "2.25", "17.1"]
    return [
        f"u{rng.randrange(users)},{rng.randrange(12)},Game {rng.randrange(3)},{rng.choice(hours)},"
        f"2015-0{rng.randrange(1, 10)}-0{rng.randrange(1, 10)}"
        for _ in range(400)
    ]  # fmt: skip


def _build(folder: Path, rows: list[str], **options: Any) -> dict[str, bytes]:
    folder.mkdir(parents=True)
    log = folder / "log.csv"
    log.write_text("\n".join(["who,what,name,hours,day", *rows]) + "\n")
    data_prep.build("table", folder / "out", **{"input": log, **COLUMNS, **options})
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def _tables(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: pq.read_table(folder / file_name(name)).to_pylist() for name in TABLES}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"timestamp": "day"},
        {"timestamp": "day", "split": "time-cut"},
        {"timestamp": "day", "split": "holdout", "pairs_per_user": 3},
    ],
    ids=["holdout", "leave-last-out", "time-cut", "holdout timed"],
)
def test_row_order_does_not_change_a_byte(tmp_path: Path, options: dict[str, Any]) -> None:
    rows = _rows()
    first = _build(tmp_path / "a", rows, **options)
    assert len(first) == len(TABLES) + 1
    assert _build(tmp_path / "b", random.Random(1).sample(rows, len(rows)), **options) == first
    assert _build(tmp_path / "c", sorted(rows), **options) == first


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"min_games": 8}, {"pairs_per_user": 2}, {"grade_bins": 1}, {"timestamp": "day"}]
)
def test_every_option_changes_the_digest(tmp_path: Path, change: dict[str, Any]) -> None:
    _build(tmp_path / "a", _rows())
    _build(tmp_path / "b", _rows(), **change)
    assert read_manifest(tmp_path / "a" / "out").digest != read_manifest(tmp_path / "b" / "out").digest


def test_the_tables_agree_with_each_other_and_the_log(tmp_path: Path) -> None:
    rows = _rows()
    _build(tmp_path / "a", rows)
    folder = tmp_path / "a" / "out"
    manifest, tables = read_manifest(folder), _tables(folder)
    for name in TABLES:
        seen = pq.read_schema(folder / file_name(name))
        check_schema(name, seen, user_type=manifest.user_type, game_type=manifest.game_type)
    histories, games = tables["histories"], {game["id"]: game for game in tables["games"]}
    owned = {tuple(row.split(",")[:2]) for row in rows}
    assert manifest.num_users == len(histories)
    assert manifest.num_games == len(games)
    assert list(games) == list(range(2, manifest.num_ids))

    # every (user, game) of the log is in exactly one place
    placed = [(h["user"], str(games[i]["game"])) for h in histories for i in h["games"]]
    for name in ("validation", "test"):
        placed += [(histories[r["row"]]["user"], str(games[i]["game"])) for r in tables[name] for i in r["games"]]
    assert len(placed) == len(set(placed))
    assert set(placed) == owned
    for game in games.values():
        assert game["popularity"] == sum(game["id"] in history["games"] for history in histories)

    grades = [dict(zip(history["games"], history["grades"], strict=True)) for history in histories]
    for pair in tables["pairs"]:
        own = grades[pair["row"]]
        assert own[pair["preferred"]] > own[pair["other"]]
        assert pair["weight"] == pytest.approx((own[pair["preferred"]] - own[pair["other"]]) / 4)  # grades 1 .. 5
    assert {grade for own in grades for grade in own.values()} == {1, 2, 3, 4, 5}


def test_held_out_hours_do_not_move_the_edges(tmp_path: Path) -> None:
    rows = [f"u{u},{g},,{g + 1},2015-01-0{g + 1}" for u in range(8) for g in range(6)]
    wild = [row if not row.endswith(("05", "06")) else row.replace(f",{row[-1]},", ",9999,") for row in rows]
    assert wild != rows
    _build(tmp_path / "a", rows, timestamp="day")
    _build(tmp_path / "b", wild, timestamp="day")
    tame, odd = (read_manifest(tmp_path / name / "out") for name in "ab")
    assert tame.grade_edges_hours == odd.grade_edges_hours == [1.0, 2.0, 3.0]


def test_untimed_rows_are_counted(tmp_path: Path) -> None:
    _build(tmp_path / "a", [*_rows(), "u1,3,,1,", "u2,3,,1,"], timestamp="day")
    steps = read_manifest(tmp_path / "a" / "out").steps
    assert (steps["read"], steps["timed"]) == (402, 400)
    assert steps["clean"] == len({tuple(row.split(",")[:2]) for row in _rows()})


def test_published_split(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    rows = [(u, g, "test" if g == 5 else "train") for u in range(3) for g in range(7)]
    pl.DataFrame(rows, schema=["u", "g", "part"], orient="row").write_parquet(folder / "log.parquet")
    source = {"input": folder / "log.parquet", "user": "u", "game": "g", "split": "column:part"}
    manifest = data_prep.build("table", folder / "out", **source)
    assert {name: part["rows"] for name, part in manifest.splits.items()} == {"train": 15, "validation": 3, "test": 3}
    assert manifest.splits["test"]["unknown_rows"] == 3  # game 5 is never trained on
    assert [row["games"] for row in _tables(folder / "out")["test"]] == [[1]] * 3


def test_synthetic_carries_its_bayes_reference(tmp_path: Path) -> None:
    manifest = data_prep.build("synthetic", tmp_path / "a", users=300, games=40)
    assert set(manifest.references) == {
        "synthetic.bayes.ndcg@10", "synthetic.bayes.ndcg", "synthetic.bayes.validation.ndcg@10",
    }  # fmt: skip
    assert read_manifest(tmp_path / "a") == manifest
    again = data_prep.build("synthetic", tmp_path / "b", users=300, games=40)
    assert dataclasses.asdict(again) == dataclasses.asdict(manifest)
    assert data_prep.build("synthetic", tmp_path / "c", users=300, games=40, seed=2).digest != manifest.digest


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (["u1,1,,1,x", "u2,1,,1,x"], SplitError, "the largest user has 1 games"),
        ([",1,,1,x"], InputError, "have no user id"),
        (["u1,1,,-1,x"], InputError, "negative or non-finite hours, e.g. -1.0 of user 'u1' and game 1"),
        ([], InputError, "no rows"),
    ],
)
def test_nothing_is_left_of_a_failed_build(
    tmp_path: Path, rows: list[str], error: type[MemcomRankError], message: str
) -> None:
    with pytest.raises(error, match=message):
        _build(tmp_path / "a", rows)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["log.csv"]


def test_an_existing_output_is_refused_before_the_input_is_read(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(MemcomRankError, match="already exists"):
        data_prep.build("table", tmp_path / "out", input="nowhere.csv", user="u", game="g")


def test_an_unwritable_output_is_refused_before_the_input_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MemcomRankError, match="cannot be made"):
        data_prep.build("table", tmp_path / "file" / "out", input="nowhere.csv", user="u", game="g")


def test_no_torch() -> None:
    code = "import sys, data_prep.pipeline; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def _steam() -> Path:
    folder = os.environ.get("MEMCOM_RANK_DATA")
    if not folder:
        pytest.skip("MEMCOM_RANK_DATA is unset: the folder that holds steam-200k/steam-200k.csv")
    return Path(folder) / "steam-200k" / "steam-200k.csv"


@pytest.mark.slow
def test_steam_in_any_row_order(tmp_path: Path) -> None:
    log = _steam()
    lines = log.read_text().splitlines()
    (tmp_path / "shuffled").mkdir()
    shuffled = tmp_path / "shuffled" / log.name
    shuffled.write_text("\n".join(random.Random(0).sample(lines, len(lines))) + "\n")
    built: list[Manifest] = []
    for name, path in (("a", log), ("b", shuffled)):
        built.append(data_prep.build("steam200k", tmp_path / name, input=path))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    manifest = built[0]
    # figures counted from the raw file with other tools
    assert (manifest.steps["read"], manifest.steps["clean"]) == (200_000, 128_804)
    assert manifest.num_users == 12_393
    assert manifest.splits["test"]["users"] == manifest.splits["validation"]["users"] == 3_757
