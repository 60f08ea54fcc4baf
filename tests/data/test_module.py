import pytest
import torch

from memcom_rank.contract.errors import ConfigError, DatasetError
from memcom_rank.data import RankingData, module
from tests.data.tiny import two_clusters, write_tables


class Place:
    """Stands for a trainer: all that the data module asks of it."""

    def __init__(self, rank, world_size):
        self.global_rank, self.world_size = rank, world_size


@pytest.fixture
def folder(tmp_path):
    return str(two_clusters(tmp_path / "clusters"))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("batch_size", 0),
        ("num_negatives", -1),
        ("negative_power", -0.5),
        ("negative_power", float("inf")),
        ("negative_power", float("nan")),
        ("max_history", 0),
        ("num_graded", -1),
        ("num_workers", -1),
        ("forget_share", 1.0),
        ("forget_share", -0.1),
        ("keep_share", (1.0, 1.0)),
        ("keep_share", (0.9, 0.1)),
        ("keep_share", (-0.1, 0.5)),
        ("keep_share", (0.5, 1.1)),
    ],
)
def test_numbers_out_of_range_are_named(folder, option, value):
    with pytest.raises(ConfigError, match=f"data.{option} is "):
        RankingData(folder, **{option: value})


def test_a_power_where_nothing_is_drawn_is_refused(folder):
    with pytest.raises(ConfigError, match=r"data.negative_power is 0.75 and data.num_negatives is 0"):
        RankingData(folder, num_negatives=0, negative_power=0.75, in_batch=True)


def test_the_latest_of_a_dataset_without_times_are_not_known(folder):
    with pytest.raises(ConfigError, match=r"data.hide_latest on .*without times(.|\n)*hide/random.yaml"):
        RankingData(folder, hide_latest=True)


def test_missing_folder(tmp_path):
    with pytest.raises(DatasetError, match="no dataset at"):
        RankingData(str(tmp_path / "nowhere"))


def test_users_with_less_than_two_games_are_not_trained_on(tmp_path):
    write_tables(tmp_path, histories=[[2, 3], [2], [], [4, 5, 6]])
    (batch,) = RankingData(str(tmp_path), batch_size=2).train_dataloader()
    assert sorted(batch.history.add(batch.held).count_nonzero(1).tolist()) == [2, 3]


def test_nobody_to_train_on(tmp_path):
    write_tables(tmp_path, histories=[[2], []])
    with pytest.raises(DatasetError, match="no user to train on"):
        RankingData(str(tmp_path)).train_dataloader()


@pytest.mark.parametrize("split", ["validation", "test"])
def test_nobody_to_evaluate(tmp_path, split):
    write_tables(tmp_path, histories=[[2, 3]])
    data = RankingData(str(tmp_path))
    with pytest.raises(DatasetError, match=f"no user in its split {split}"):
        data.val_dataloader() if split == "validation" else data.test_dataloader()


def test_a_test_split_that_is_damaged_is_found_before_training(tmp_path):
    write_tables(tmp_path, histories=[[2, 3]])
    data = RankingData(str(tmp_path))
    (tmp_path / "test.parquet").write_bytes(b"PAR1")
    data.setup("predict")
    with pytest.raises(DatasetError, match=r"test\.parquet cannot be read"):
        data.setup("fit")


def rows(loader):
    return [row for batch in loader for row in batch.rows.tolist()]


@pytest.mark.parametrize("world_size", [1, 3, 50])
def test_ranks_share_out_the_users_to_evaluate(folder, world_size):
    for name in ("val_dataloader", "test_dataloader", "predict_dataloader"):
        found = []
        for rank in range(world_size):
            data = RankingData(folder)
            data.trainer = Place(rank, world_size)
            found += rows(getattr(data, name)())
        assert sorted(found) == list(range(40))


def test_ranks_train_on_different_users(folder):
    found = []
    for rank in range(2):
        data = RankingData(folder, batch_size=5)
        data.trainer = Place(rank, 2)
        found += [key.rows.tolist() for key in data.train_dataloader().sampler]
    assert sorted(row for step in found for row in step) == list(range(40))


def test_another_ranks_share_may_be_asked_for(folder):
    data = RankingData(folder)
    data.trainer = Place(1, 4)
    queries = data.dataset.queries("test")
    assert len(rows(data.query_loader(queries, rank=0, world_size=1))) == 40
    assert len(rows(data.query_loader(queries))) == 10


def test_evaluation_batches_are_as_large_as_scores_allow(folder, monkeypatch):
    monkeypatch.setattr(module, "_MAX_SCORES", 18 * 7 + 5)  # 18 ids
    data = RankingData(folder)
    assert [len(batch.rows) for batch in data.test_dataloader()] == [7] * 5 + [5]
    monkeypatch.setattr(module, "_MAX_SCORES", 1)
    assert {len(batch.rows) for batch in data.test_dataloader()} == {1}


def test_prediction_sees_every_game_of_a_user(folder):
    (batch,) = RankingData(folder).predict_dataloader()
    assert batch.history.count_nonzero(1).tolist() == [8] * 40
    assert not batch.targets.any()


def test_the_seed_decides_the_batches(folder):
    def held(seed):
        return torch.stack([batch.held for batch in RankingData(folder, batch_size=40, seed=seed).train_dataloader()])

    assert torch.equal(held(1), held(1))
    assert not torch.equal(held(1), held(2))


def test_settings_are_plain_values(folder):
    """So that a checkpoint can be loaded with weights_only."""
    settings = dict(RankingData(folder).hparams)
    assert settings["path"] == folder
    assert all(isinstance(value, (str, int, float, tuple)) for value in settings.values())
