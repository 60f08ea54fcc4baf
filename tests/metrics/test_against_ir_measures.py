"""The metrics against `ir-measures` (trec_eval), an implementation that shares nothing with ours.

Without ties alone: trec_eval orders games of equal score by their names, ours gives the mean over all orders.
With ties the reference is scikit-learn, whose `ndcg_score` means over orders too.
"""

import ir_measures
import pytest
import torch
from ir_measures import RR, R, nDCG
from sklearn.metrics import ndcg_score

from memcom_rank.metrics import RankingMetrics, rank_targets
from tests.metrics.conftest import NUM_IDS, make_world

KS = [1, 3, 10, 100]  # the last is above the catalogue


def by_trec_eval(world, measure):
    """The measure of every user, 0 for those without held-out games, whom trec_eval leaves out."""
    wanted = [[int(game) for game in targets if game] for targets in world.targets_BT]
    qrels = {str(user): {str(game): 1 for game in games} for user, games in enumerate(wanted) if games}
    run = {
        str(user): {str(game): float(world.scores_BV[user, game]) for game in world.candidates(user)}
        for user in range(len(wanted))
    }
    found = {row.query_id: row.value for row in ir_measures.iter_calc([measure], qrels, run)}
    return [found.get(str(user), 0.0) for user in range(len(wanted))]


def ours(world):
    metrics = RankingMetrics([*KS, None], NUM_IDS)
    values = metrics.per_user(metrics.update(*world))
    return values, metrics.compute()


@pytest.mark.parametrize("unknown", [False, True])  # an unknown game is relevant and never retrieved, for trec_eval too
@pytest.mark.parametrize("users", [1, 40])
@pytest.mark.parametrize("seed", range(3))
def test_ndcg_recall_and_reciprocal_rank(seed, users, unknown):
    world = make_world(400 + seed, ties=False, unknown=unknown, users=users)
    values, means = ours(world)
    pairs = {"ndcg": nDCG, "mrr": RR}
    pairs |= {f"ndcg@{k}": nDCG @ k for k in KS} | {f"recall@{k}": R @ k for k in KS}
    counted = world.targets_BT.any(1)
    for name, measure in pairs.items():
        wanted = by_trec_eval(world, measure)
        assert values[name].tolist() == pytest.approx(wanted, abs=1e-9), name
        if counted.any():
            assert float(means[name]) == pytest.approx(sum(wanted) / int(counted.sum()), abs=1e-9), name


def test_nobody_has_a_held_out_game():
    world = make_world(0, ties=False, unknown=False, users=3)._replace(targets_BT=torch.zeros(3, 4, dtype=torch.int64))
    values, means = ours(world)
    assert all(by_trec_eval(world, measure) == [0.0] * 3 for measure in (nDCG, RR))
    assert all(value.tolist() == [0.0] * 3 for value in values.values())
    assert means["ndcg@10"].isnan()  # a mean over nobody


@pytest.mark.parametrize("k", [1, 3, 1000])
def test_one_user_with_everything_tied_against_scikit_learn(k):
    scores, seen = torch.zeros(1, NUM_IDS), torch.tensor([[2, 3, 0]])
    targets = torch.tensor([[5, 9, 0]])
    values, _ = ours_of(scores, targets, seen, k)
    relevant = [[float(game in (5, 9)) for game in range(4, NUM_IDS)]]
    wanted = ndcg_score(relevant, [[0.0] * (NUM_IDS - 4)], k=k)
    assert values[f"ndcg@{k}"].item() == pytest.approx(wanted, abs=1e-12)
    # trec_eval goes by name: it sorts all ties one way, and the value is that of a lucky or an unlucky order
    run = {"0": {str(game): 0.0 for game in range(4, NUM_IDS)}}
    (row,) = ir_measures.iter_calc([nDCG @ k], {"0": {"5": 1, "9": 1}}, run)
    assert row.value != pytest.approx(wanted, abs=1e-3)


def ours_of(scores, targets, seen, k):
    metrics = RankingMetrics([k], NUM_IDS)
    return metrics.per_user(rank_targets(scores, targets, targets, seen)), metrics
