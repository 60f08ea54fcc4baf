from collections import Counter

import torch

from memcom_rank.baselines import Popularity, popular_when_cold


def test_scores_are_counts_of_users():
    draw = torch.Generator().manual_seed(0)
    rows, games = torch.arange(200), torch.randint(0, 9, (200,), generator=draw)
    scores = Popularity().fit(rows, games, 200, 12).score(torch.zeros(3, 4, dtype=torch.int64))
    count = Counter(games.tolist())
    assert scores.dtype == torch.float32
    assert scores.tolist() == [[0.0, 0.0] + [float(count[i]) for i in range(2, 12)]] * 3


def test_users_without_a_real_game_get_the_popular_games():
    popularity = Popularity().fit(torch.arange(5), torch.tensor([2, 3, 3, 4, 1]), 5, 6)
    score = popular_when_cold(lambda history: history.float().sum(1, keepdim=True).expand(-1, 6), popularity)
    found = score(torch.tensor([[0, 5], [0, 0], [1, 0], [2, 1]]))
    popular = [0.0, 0.0, 1.0, 2.0, 1.0, 0.0]
    assert found.tolist() == [[5.0] * 6, popular, popular, [3.0] * 6]
    assert score(torch.tensor([[4]])).tolist() == [[4.0] * 6]
