"""The table on its own; tests/test_cli.py and tests/test_distributed.py predict with whole runs."""

import numpy as np
import pyarrow.parquet as pq
import pytest

import data_prep
from memcom_rank.callbacks.predictions import label_table, prediction_table
from memcom_rank.data import RankingDataset
from tests.command import fit, run
from tests.data.tiny import labelled_clusters, write_tables


def test_ids_become_the_sources_own_and_missing_games_are_left_out(tmp_path):
    dataset = RankingDataset(write_tables(tmp_path, histories=[[2, 3], [4], [5, 2]], num_games=4))
    table = prediction_table(
        dataset,
        np.array([2, 0]),
        np.array([[4, 3, 0], [5, 0, 0]]),
        np.array([[0.5, 0.25, -9], [1.5, -9, -9]], dtype=np.float32),
    )
    assert table.to_pylist() == [
        {"row": 2, "user": 102, "rank": 1, "game": "g4", "title": "Game 4", "score": 0.5},
        {"row": 2, "user": 102, "rank": 2, "game": "g3", "title": "Game 3", "score": 0.25},
        {"row": 0, "user": 100, "rank": 1, "game": "g5", "title": "Game 5", "score": 1.5},
    ]


def test_labels_become_their_names(tmp_path):
    dataset = RankingDataset(labelled_clusters(tmp_path))
    probabilities = np.array([[0.75, 0.25], [0.5, 0.5]], dtype=np.float32)
    table = label_table(dataset, np.array([4, 1]), np.array([[1, 0], [0, 1]]), probabilities)
    assert table.to_pylist() == [
        {"row": 4, "user": 104, "rank": 1, "label": "odd", "probability": 0.75},
        {"row": 4, "user": 104, "rank": 2, "label": "even", "probability": 0.25},
        {"row": 1, "user": 101, "rank": 1, "label": "even", "probability": 0.5},
        {"row": 1, "user": 101, "rank": 2, "label": "odd", "probability": 0.5},
    ]


@pytest.mark.parametrize("kind", [int, "id {}".format])
def test_ids_of_a_log_come_back_as_they_were(tmp_path, kind):
    lines = ["user,game,hours"]
    for user in range(40):
        lines += [f"{kind(user + 1000)},{kind(500 + (user * 7 + i * i) % 30)},{i + 1}" for i in range(6)]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    columns = {"user": "user", "game": "game", "engagement": "hours", "min_games": 4}
    data_prep.build(source="table", input=tmp_path / "log.csv", output=tmp_path / "data", **columns)
    trained = fit(tmp_path, tmp_path / "data", "--model.init_args.embedding", "memcom_rank.embeddings.Full", epochs=1)
    ran = run(tmp_path, "predict", "--config", "ranknet.yaml", "--ckpt_path", trained.folder)
    assert ran.status == 0, ran.err
    table = pq.read_table(ran.folder / "predictions.parquet")
    assert set(table["user"].to_pylist()) == {kind(user) for user in range(1000, 1040)}
    assert set(table["game"].to_pylist()) <= {kind(game) for game in range(500, 530)}
