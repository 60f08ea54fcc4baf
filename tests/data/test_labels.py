import pytest
import torch

from memcom_rank.contract.errors import ConfigError
from memcom_rank.data import RankingData
from memcom_rank.data.batches import BatchKey
from memcom_rank.data.labels import LabelBatches
from tests.data.tiny import labelled_clusters, two_clusters

NO_SAMPLES = {"num_negatives": 0, "batch_size": 8}


@pytest.fixture
def data(tmp_path):
    return RankingData(str(labelled_clusters(tmp_path / "labelled")), **NO_SAMPLES)


def whole(dataset, rows):
    return [set(dataset.histories.padded(torch.tensor([row]))[0].tolist()) - {0} for row in rows.tolist()]


def test_training_steps_hold_every_training_user_once_an_epoch_with_part_of_its_games(data):
    steps, shown = list(data.train_dataloader()), []
    assert [len(step.rows) for step in steps] == [8] * 5
    rows = torch.cat([step.rows for step in steps])
    assert rows.sort().values.tolist() == data.dataset.labelled("train").tolist()
    for step in steps:
        assert torch.equal(step.labels, data.dataset.labels[step.rows])
        assert step.examples == 8
        own = whole(data.dataset, step.rows)
        for history, games in zip(step.history.tolist(), own, strict=True):
            shown.append(len(set(history) - {0, 1}) / len(games))
            assert set(history) <= games | {0, 1}
    assert 0.6 < sum(shown) / len(shown) < 0.95
    assert steps[0].seed != steps[1].seed


def test_a_step_can_be_made_again_from_its_key(data):
    batches, key = LabelBatches(data.dataset, data._train), BatchKey(torch.tensor([3, 5]), 11)
    assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(batches[key], batches[key], strict=True))  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("split", ["validation", "test"])
def test_evaluation_sees_whole_histories_of_its_own_users(data, split):
    loader = {"validation": data.val_dataloader, "test": data.test_dataloader}[split]()
    rows = []
    for step in loader:
        rows += step.rows.tolist()
        assert [set(history) - {0} for history in step.history.tolist()] == whole(data.dataset, step.rows)
        assert torch.equal(step.labels, data.dataset.labels[step.rows])
    assert sorted(rows) == data.dataset.labelled(split).tolist()


def test_predictions_are_of_all_users(data):
    rows = torch.cat([step.rows for step in data.predict_dataloader()])
    assert rows.sort().values.tolist() == list(range(60))


def test_ranks_share_the_users(data):
    parts = [
        [row for step in data.label_loader("test", rank=rank, world_size=3) for row in step.rows.tolist()]
        for rank in range(3)
    ]
    assert sorted(row for part in parts for row in part) == data.dataset.labelled("test").tolist()


def test_whole_histories_may_be_trained_on_where_there_are_labels(tmp_path, data):
    whole_share = {"keep_share": (1.0, 1.0), "forget_share": 0.0}
    kept = RankingData(str(data.path), **NO_SAMPLES, **whole_share)
    for step in kept.train_dataloader():
        assert [set(history) - {0} for history in step.history.tolist()] == whole(kept.dataset, step.rows)
    with pytest.raises(ConfigError, match="least below 1"):
        RankingData(str(two_clusters(tmp_path / "clusters")), **whole_share)
