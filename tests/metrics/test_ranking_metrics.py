import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from memcom_rank.contract.errors import ConfigError
from memcom_rank.metrics import (
    MRR,
    NDCG,
    Coverage,
    GradedNDCG,
    RankingMetrics,
    Recall,
    rank_targets,
    top_games,
)

NUM_IDS = 40


def users(first, count):
    """Users `first` .. `first + count - 1` of a fixed population, as arguments of `update`."""
    draw = torch.Generator().manual_seed(3)
    scores_BV = torch.randn(11, NUM_IDS, generator=draw).round(decimals=1)
    games = torch.stack([torch.randperm(NUM_IDS - 2, generator=draw) + 2 for _ in range(11)])
    targets_BT, seen_BL = games[:, :3].clone(), games[:, 3:8]
    targets_BT[1:4, 1:] = 0
    targets_BT[2] = 0
    targets_BT[5, 0] = 1
    grades_BT = targets_BT % 4 + 1
    return [part[first : first + count] for part in (scores_BV, targets_BT, grades_BT, seen_BL)]


def floats(values):
    return {key: value.item() for key, value in values.items()}


def test_keys_are_the_written_ones():
    metrics = RankingMetrics([10, 20, None], NUM_IDS)
    metrics.update(*users(0, 11))
    assert set(metrics.compute()) == {
        *("ndcg@10", "ndcg@20", "ndcg", "graded_ndcg@10", "graded_ndcg@20", "graded_ndcg"),
        *("recall@10", "recall@20", "coverage@10", "coverage@20", "mrr"),
    }


def test_values_are_those_of_the_single_metrics():
    ranks = rank_targets(*users(0, 11))
    scores_BV, targets_BT, _, seen_BL = users(0, 11)
    metrics = RankingMetrics([2, 5, None], NUM_IDS)
    metrics.update(*users(0, 11))
    values = floats(metrics.compute())
    for key, single in {
        "ndcg@2": NDCG(2),
        "ndcg": NDCG(None),
        "graded_ndcg@5": GradedNDCG(5),
        "graded_ndcg": GradedNDCG(None),
        "recall@5": Recall(5),
        "mrr": MRR(),
    }.items():
        single.update(ranks)
        assert values[key] == single.compute().item(), key
    for k in (2, 5):
        single = Coverage(k, NUM_IDS)
        evaluated_B = targets_BT.any(1)
        single.update(top_games(scores_BV[evaluated_B], seen_BL[evaluated_B], k)[0])
        assert values[f"coverage@{k}"] == single.compute().item()


def test_values_of_each_user_average_to_the_metrics():
    metrics = RankingMetrics([3, None], NUM_IDS)
    per_user = metrics.per_user(metrics.update(*users(0, 11)))
    has_targets = users(0, 11)[1].any(1)
    assert not has_targets.all()
    for key, value in floats(metrics.compute()).items():
        if not key.startswith("coverage"):
            assert per_user.pop(key)[has_targets].mean().item() == pytest.approx(value, abs=1e-12)
    assert not per_user


def test_batches_of_any_size_give_the_same_values():
    whole, parts = RankingMetrics([3, None], NUM_IDS), RankingMetrics([3, None], NUM_IDS)
    whole.update(*users(0, 11))
    for first, count in ((0, 1), (1, 6), (7, 4)):
        parts.update(*users(first, count))
    assert floats(parts.compute()) == pytest.approx(floats(whole.compute()), abs=1e-12)


def test_reset_forgets_everything():
    metrics, fresh = RankingMetrics([3], NUM_IDS), RankingMetrics([3], NUM_IDS)
    metrics.update(*users(4, 7))
    metrics.reset()
    metrics.update(*users(0, 4))
    fresh.update(*users(0, 4))
    assert floats(metrics.compute()) == floats(fresh.compute())


def test_only_the_full_catalogue():
    metrics = RankingMetrics([None], NUM_IDS)
    metrics.update(*users(0, 11))
    assert set(metrics.compute()) == {"ndcg", "graded_ndcg", "mrr"}


def test_leaves_nothing_in_a_models_checkpoint():
    model = nn.Module()
    model.metrics = RankingMetrics([10], NUM_IDS)
    assert not model.state_dict()
    assert not list(model.parameters())


@pytest.mark.parametrize("ks", [[], [0], [-3, None], [10, 10], [None, None]])
def test_wrong_cutoffs_are_refused(ks):
    with pytest.raises(ConfigError, match="cutoffs"):
        RankingMetrics(ks, NUM_IDS)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_in_deterministic_mode_gives_the_same_values():
    here, there = RankingMetrics([3, None], NUM_IDS), RankingMetrics([3, None], NUM_IDS).cuda()
    here.update(*users(0, 11))
    torch.use_deterministic_algorithms(True)
    try:
        there.update(*(part.cuda() for part in users(0, 11)))
        values = floats(there.compute())
    finally:
        torch.use_deterministic_algorithms(False)
    # coverage may differ where the last place of a top k is tied
    same = [key for key in values if not key.startswith("coverage")]
    assert [values[key] for key in same] == pytest.approx([here.compute()[key].item() for key in same], abs=1e-12)


def _rank_main(rank, folder):
    """Evaluate 8 users on rank 0 and 3 on rank 1, in batches of different sizes; write the values of each rank."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    metrics = RankingMetrics([3, 10, None], NUM_IDS)
    for first, count in [(0, 5), (5, 3)] if rank == 0 else [(8, 3)]:
        metrics.update(*users(first, count))
    if rank == 0:  # before the ranks meet: waiting for the other one would mix up their collectives
        alone = RankingMetrics([3, 10, None], NUM_IDS, sync_on_compute=False)
        alone.update(*users(0, 8))
        torch.save(floats(alone.compute()), f"{folder}/alone.pt")
    torch.save(floats(metrics.compute()), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_ranks_with_uneven_users_equal_one(tmp_path):
    spawn = mp.get_context("spawn")
    processes = [spawn.Process(target=_rank_main, args=(rank, str(tmp_path))) for rank in range(2)]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join(timeout=120)
        assert [process.exitcode for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    for name, count in (("0", 11), ("1", 11), ("alone", 8)):
        one = RankingMetrics([3, 10, None], NUM_IDS)
        one.update(*users(0, count))
        assert torch.load(tmp_path / f"{name}.pt") == pytest.approx(floats(one.compute()), abs=1e-9)
