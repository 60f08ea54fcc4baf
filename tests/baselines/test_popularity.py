from collections import Counter

import torch

from memcom_rank.baselines import Popularity


def test_scores_are_counts_of_users():
    draw = torch.Generator().manual_seed(0)
    rows, games = torch.arange(200), torch.randint(0, 9, (200,), generator=draw)
    scores = Popularity().fit(rows, games, 200, 12).score(torch.zeros(3, 4, dtype=torch.int64))
    count = Counter(games.tolist())
    assert scores.dtype == torch.float32
    assert scores.tolist() == [[0.0, 0.0] + [float(count[i]) for i in range(2, 12)]] * 3
