"""Play logs for the baselines."""

import torch

USERS, IDS = 40, 11


def play_log(seed=0):
    """Random histories over ids 1 (unknown) to 10, at least one game a user and user a game: rows, games, dense."""
    dense = torch.rand(USERS, IDS, generator=torch.Generator().manual_seed(seed)) < 0.35
    dense[torch.arange(USERS), 2 + torch.arange(USERS) % (IDS - 2)] = True
    dense[:, 0] = False
    rows, games = dense.nonzero().T
    shuffle = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed + 1))
    return rows[shuffle], games[shuffle], dense


def clusters(users=60, games=12):
    """Users own most games of even or of odd id; rows, games. Who owns 2, 4 and 6 should be shown 8, 10 and 12."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.arange(2, 2 + games)
    same = (torch.arange(users)[:, None] - ids) % 2 == 0
    owned = same & (torch.rand(users, games, generator=draw) < 0.7)
    rows, columns = owned.nonzero().T
    return rows, columns + 2, users, 2 + games


def of_own_cluster(scores_V, history):
    """Whether every unseen game of the history's cluster stands above every game of the other."""
    ids = [i for i in range(2, len(scores_V)) if i not in history]
    own = [float(scores_V[i]) for i in ids if i % 2 == history[0] % 2]
    other = [float(scores_V[i]) for i in ids if i % 2 != history[0] % 2]
    return min(own) > max(other)
