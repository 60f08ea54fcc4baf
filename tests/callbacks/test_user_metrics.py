import pyarrow.parquet as pq
import pytest
import torch
from pytorch_lightning import Trainer

from memcom_rank.callbacks import UserMetricsWriter
from memcom_rank.data import RankingData
from memcom_rank.embeddings import Full
from memcom_rank.models import PoolMatch
from memcom_rank.tasks import RankNet
from tests.data.tiny import write_tables

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance\\(treespec, LeafSpec\\)"),
]


def test_a_row_per_test_user_whose_means_are_the_metrics(tmp_path):
    histories = [[2, 3], [4, 5], [2, 5], [3, 4], [6, 7]]
    test = {0: [4, 5], 1: [2], 3: [6], 4: [1]}  # popularity of games 2 to 7: 2, 2, 2, 2, 1, 1
    dataset = write_tables(tmp_path / "dataset", histories=histories, validation={0: [7]}, test=test)
    torch.manual_seed(0)
    model = RankNet(8, Full, PoolMatch(), dim=4, ks=(2, None))
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(accelerator="cpu", callbacks=[UserMetricsWriter(tmp_path)], **quiet)
    (means,) = trainer.test(model, RankingData(str(dataset)), verbose=False)

    found = pq.read_table(tmp_path / "users_test.parquet").to_pydict()
    assert found.pop("user") == [100, 101, 103, 104]
    assert found.pop("history_length") == [3, 2, 2, 2]  # user 100 has a validation game
    assert found.pop("popularity") == ["middle", "head", "tail", "unknown"]  # 5, the rarer one of two; 2; 6; none
    assert found["recall@2"][3] == 0  # an unknown game is a miss
    del means["test/coverage@2"]
    assert {f"test/{key}": sum(values) / 4 for key, values in found.items()} == pytest.approx(means, abs=1e-6)
    scores_V = model.eval()(torch.tensor([[4, 5]]))[0]  # user 101 owns 4 and 5 and wants 2
    above = int((scores_V[[3, 6, 7]] > scores_V[2]).sum())
    assert found["mrr"][1] == pytest.approx(1 / (1 + above), abs=1e-6)
