import numpy as np
import pytest
import torch
from sklearn.naive_bayes import MultinomialNB

from memcom_rank.baselines import NaiveBayes

USERS, GAMES, LABELS = 50, 9, 3


@pytest.fixture
def world():
    """Bags of games, labels, and the same as (user, game) rows; some rows are of the unknown game."""
    draw = np.random.default_rng(0)
    bags, labels = draw.random((USERS, GAMES)) < 0.4, draw.integers(LABELS, size=USERS)
    users, games = np.nonzero(bags)
    rows = torch.tensor(np.append(users, [0, 1])), torch.tensor(np.append(games + 2, [1, 1]))
    return bags, labels, rows


@pytest.mark.parametrize("smoothing", [0.1, 1.0, 10.0])
def test_it_is_scikit_learns(world, smoothing):
    bags, labels, (users, games) = world
    all_labels = torch.tensor(labels)
    ours = NaiveBayes(smoothing).fit(all_labels[users], games, all_labels, LABELS, GAMES + 2)
    theirs = MultinomialNB(alpha=smoothing).fit(bags, labels)
    history = torch.tensor([[place + 2 if owned else 0 for place, owned in enumerate(bag)] + [1] for bag in bags])
    np.testing.assert_allclose(ours.score(history).softmax(1).numpy(), theirs.predict_proba(bags), rtol=1e-9)


def test_at_infinity_it_is_the_majority(world):
    _, labels, (users, games) = world
    all_labels = torch.tensor(labels)
    model = NaiveBayes(torch.inf).fit(all_labels[users], games, all_labels, LABELS, GAMES + 2)
    scores = model.score(torch.tensor([[2, 3, 1], [0, 0, 0]]))
    assert scores.argmax(1).tolist() == [np.bincount(labels).argmax()] * 2
    assert torch.equal(scores[0], scores[1])


def test_a_label_of_no_training_user_is_the_least_likely(world):
    _, labels, (users, games) = world
    all_labels = torch.tensor(labels)
    model = NaiveBayes(torch.inf).fit(all_labels[users], games, all_labels, LABELS + 1, GAMES + 2)
    assert model.score(torch.tensor([[2]])).isfinite().all()
    assert model.score(torch.tensor([[2]])).argmin() == LABELS
