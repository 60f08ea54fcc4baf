import json
import subprocess
import sys

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from data_prep.options import Options
from data_prep.pipeline import run
from memcom_rank.contract.errors import DatasetError
from memcom_rank.contract.manifest import MANIFEST_FILE
from memcom_rank.data import RankingDataset
from tests.data.tiny import grades, write_tables

HISTORIES = [[2, 3], [], [4], [2, 4, 5]]
VALIDATION, TEST = {1: [3], 3: [1, 3]}, {1: [2], 2: [5, 1], 3: [6]}
PAIRS = [(0, 3, 2, 0.5), (3, 4, 2, 1.0), (3, 5, 2, 0.25)]


@pytest.fixture
def folder(tmp_path):
    return write_tables(
        tmp_path / "tiny", histories=HISTORIES, validation=VALIDATION, test=TEST, pairs=PAIRS, num_games=5
    )


def lists(table):
    return [table.values[a:b].tolist() for a, b in zip(table.offsets[:-1], table.offsets[1:], strict=True)]


def test_training_tables_are_read(folder):
    data = RankingDataset(folder)
    assert lists(data.histories) == HISTORIES
    assert lists(data.grades) == [grades(games) for games in HISTORIES]
    assert data.manifest.num_ids == 7
    own = data.pair_offsets.tolist()
    for row in range(4):
        pairs = zip(data.preferred.tolist(), data.other.tolist(), data.pair_weights.tolist(), strict=True)
        assert list(pairs)[own[row] : own[row + 1]] == [pair[1:] for pair in PAIRS if pair[0] == row]


def test_interactions_are_the_training_rows(folder):
    rows, games = RankingDataset(folder).interactions()
    wanted = [(row, game) for row, own in enumerate(HISTORIES) for game in own]
    assert list(zip(rows.tolist(), games.tolist(), strict=True)) == wanted


def test_source_ids_and_titles_are_kept(folder):
    data = RankingDataset(folder)
    assert data.user_ids().to_pylist() == [100, 101, 102, 103]
    assert data.games()["game"].to_pylist() == ["g2", "g3", "g4", "g5", "g6"]
    assert data.popularity().tolist() == data.games()["popularity"].to_pylist()


def test_validation_sees_training_games(folder):
    queries = RankingDataset(folder).queries("validation")
    assert queries.rows.tolist() == [1, 3]
    assert lists(queries.histories) == [HISTORIES[1], HISTORIES[3]]
    assert lists(queries.targets) == [VALIDATION[1], VALIDATION[3]]
    assert lists(queries.grades) == [grades(VALIDATION[1]), grades(VALIDATION[3])]


def test_test_sees_training_and_validation_games(folder):
    queries = RankingDataset(folder).queries("test")
    assert queries.rows.tolist() == [1, 2, 3]
    assert lists(queries.histories) == [HISTORIES[row] + VALIDATION.get(row, []) for row in (1, 2, 3)]
    assert lists(queries.targets) == [TEST[row] for row in (1, 2, 3)]


def test_everything_is_every_known_game_of_every_user(folder):
    queries = RankingDataset(folder).everything()
    assert queries.rows.tolist() == [0, 1, 2, 3]
    assert lists(queries.histories) == [HISTORIES[r] + VALIDATION.get(r, []) + TEST.get(r, []) for r in range(4)]
    assert lists(queries.targets) == lists(queries.grades) == [[], [], [], []]


def test_empty_splits_and_no_pairs_are_read(tmp_path):
    data = RankingDataset(write_tables(tmp_path, histories=[[2]]))
    assert len(data.queries("validation").rows) == len(data.queries("test").rows) == 0
    assert data.pair_offsets.tolist() == [0, 0]


def test_what_data_prep_builds_is_read(tmp_path):
    """Compares with the log itself: every play is in exactly one of training, validation and test."""
    log = pl.DataFrame({"u": [f"u{i % 9}" for i in range(90)], "g": [f"g{(i * i) % 13}" for i in range(90)]})
    log.write_csv(tmp_path / "log.csv")
    run(Options(source="table", input=tmp_path / "log.csv", output=tmp_path / "out", user="u", game="g", min_games=3))
    data = RankingDataset(tmp_path / "out")
    names = dict(zip(data.games()["id"].to_pylist(), data.games()["game"].to_pylist(), strict=True))
    users = data.user_ids().to_pylist()
    everything = data.everything()
    found = [
        (users[row], names[game]) for row, own in enumerate(lists(everything.histories)) for game in own if game > 1
    ]
    assert len(found) == len(set(found))
    assert set(found) <= set(log.rows())
    unknown = int((everything.histories.values == 1).sum())
    assert len(found) + unknown == log.unique().height


LABELLED = {
    "histories": [[2, 3], [2, 1], [1], [3]],
    "labels": [("train", "b"), ("test", "a"), ("validation", "b"), ("train", "a")],
}


def test_labels_are_places_in_the_manifests_names(tmp_path):
    data = RankingDataset(write_tables(tmp_path, **LABELLED))
    assert [data.manifest.labels[place] for place in data.labels] == ["b", "a", "b", "a"]
    assert [data.labelled(split).tolist() for split in ("train", "validation", "test")] == [[0, 3], [2], [1]]
    assert lists(data.histories) == LABELLED["histories"]


@pytest.mark.parametrize(
    ("column", "values", "seen"),
    [
        ("label", ["b", "a", "c", "a"], r"label \['c'\]"),
        ("split", ["train", "test", "dev", "train"], r"split \['dev'\]"),
        ("row", [0, 1, 1, 3], "not one row for each user"),
    ],
)
def test_labels_that_do_not_fit_the_manifest(tmp_path, column, values, seen):
    path = write_tables(tmp_path, **LABELLED) / "labels.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index(column)
    kind = table.schema.field(column).type
    pq.write_table(table.set_column(place, column, pa.array(values, kind)), path)
    with pytest.raises(DatasetError, match=seen):
        RankingDataset(tmp_path)


def test_a_dataset_that_lost_its_labels(tmp_path):
    (write_tables(tmp_path, **LABELLED) / "labels.parquet").unlink()
    with pytest.raises(DatasetError, match=r"labels\.parquet cannot be read"):
        RankingDataset(tmp_path)


def test_missing_folder(tmp_path):
    with pytest.raises(DatasetError, match="no dataset at"):
        RankingDataset(tmp_path / "nowhere")


@pytest.mark.parametrize("table", ["histories", "pairs"])
@pytest.mark.parametrize("keep", [0, 0.5, 0.95])
def test_truncated_parquet(folder, table, keep):
    path = folder / f"{table}.parquet"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(DatasetError, match=f"{table}.parquet cannot be read"):
        RankingDataset(folder)


@pytest.mark.parametrize("table", ["validation", "test"])
def test_missing_split(folder, table):
    (folder / f"{table}.parquet").unlink()
    with pytest.raises(DatasetError, match=f"{table}.parquet cannot be read"):
        RankingDataset(folder).queries(table)


def test_wrong_columns(folder):
    table = pq.read_table(folder / "histories.parquet").rename_columns(["user", "items", "grades"])
    pq.write_table(table, folder / "histories.parquet")
    with pytest.raises(DatasetError, match=r"histories\.parquet has columns user: int64, items"):
        RankingDataset(folder)


@pytest.mark.parametrize(
    ("field", "value", "seen"),
    [
        ("schema_version", 99, "99"),
        ("num_users", 3, "histories.parquet has 4 rows"),
        ("num_games", 3, "histories.parquet holds games from 2 to 5"),
    ],
)
def test_manifest_that_says_otherwise(folder, field, value, seen):
    text = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps({**text, field: value}))
    with pytest.raises(DatasetError, match=seen):
        RankingDataset(folder)


def test_fewer_games_than_the_manifest_says(folder):
    path = folder / "games.parquet"
    pq.write_table(pq.read_table(path).slice(0, 4), path)
    with pytest.raises(DatasetError, match=r"games.parquet has 4 rows\n  wanted: 5"):
        RankingDataset(folder).games()


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("pairs", "preferred", 1),
        ("pairs", "other", 7),
        ("pairs", "row", 4),
        ("validation", "row", -1),
        ("test", "games", 0),
        ("histories", "games", 1),
    ],
)
def test_ids_and_rows_out_of_range(folder, table, column, value):
    path = folder / f"{table}.parquet"
    seen = pq.read_table(path)
    values = seen[column].to_pylist()
    values[-1] = [value] if column == "games" else value
    index = seen.schema.get_field_index(column)
    pq.write_table(seen.set_column(index, column, pa.array(values, seen.schema.field(column).type)), path)
    with pytest.raises(DatasetError, match=f"{table}.parquet holds {column} from"):
        RankingDataset(folder).queries(table)


@pytest.mark.slow
def test_works_without_polars(folder):
    """Polars deadlocks in forked workers, and a serving machine need not have it."""
    code = "import sys; sys.modules['polars'] = None; from memcom_rank.data import *; "
    code += f"print(len(RankingData({str(folder)!r}).dataset.queries('test').rows))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.stdout == "3\n", answer.stderr


def test_tensors_are_its_own(folder):
    """Nothing points into a mapped file: the folder may be rebuilt while a run reads it."""
    data = RankingDataset(folder)
    before = data.histories.values.clone()
    for path in folder.iterdir():
        path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(data.histories.values, before)
