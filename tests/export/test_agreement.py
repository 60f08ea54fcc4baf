import math

import pytest
import torch

from memcom_rank.export.agreement import TOP, agreement

NUM_IDS, USERS = 30, 5


def ranking(scores_BV, history_BL, k=12):
    """The best games with loops."""
    ids, found = [], []
    for scores, history in zip(scores_BV.tolist(), history_BL.tolist(), strict=True):
        left = sorted((game for game in range(2, NUM_IDS) if game not in history), key=lambda game: -scores[game])[:k]
        ids.append(left)
        found.append([scores[game] for game in left])
    return torch.tensor(ids), torch.tensor(found)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_differences_and_overlap_are_those_of_loops(noise):
    torch.manual_seed(0)
    scores_BV, history_BL = torch.randn(USERS, NUM_IDS), torch.randint(2, NUM_IDS, (USERS, 3))
    other_BV = scores_BV + noise * torch.randn(USERS, NUM_IDS)
    found = agreement(lambda h: ranking(other_BV, h), lambda h: scores_BV, [history_BL])
    wanted_ids, _ = ranking(scores_BV, history_BL, TOP)
    own_ids, _ = ranking(other_BV, history_BL)
    same = [len(set(a[:TOP]) & set(b)) / TOP for a, b in zip(own_ids.tolist(), wanted_ids.tolist(), strict=True)]
    assert found.overlap == pytest.approx(math.fsum(same) / USERS)
    assert found.overlap == 1 or noise
    apart = [[abs(other_BV[u, game] - scores_BV[u, game]).item() for game in own_ids[u].tolist()] for u in range(USERS)]
    assert found.score == pytest.approx(max(map(max, apart)))
    spreads = [max(row[2:]) - min(row[2:]) for row in scores_BV.tolist()]
    shares = [max(row) / spread for row, spread in zip(apart, spreads, strict=True)]
    assert found.score_share == pytest.approx(max(shares), rel=1e-5)
    assert found.users == USERS


def test_games_of_one_score_may_stand_for_one_another():
    scores_1V = torch.zeros(1, NUM_IDS)
    ids_1K = torch.arange(NUM_IDS - 10, NUM_IDS)[None]
    found = agreement(lambda h: (ids_1K, torch.zeros(1, 10)), lambda h: scores_1V, [torch.tensor([[2]])])
    assert found.overlap == 1


def test_what_is_not_a_number_is_no_agreement():
    scores_1V = torch.randn(1, NUM_IDS)
    ids_1K = torch.arange(2, 12)[None]
    found = agreement(lambda h: (ids_1K, torch.full((1, 10), torch.nan)), lambda h: scores_1V, [torch.tensor([[20]])])
    assert math.isnan(found.score_share)
