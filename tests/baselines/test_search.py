import pytest
import torch

from memcom_rank.__main__ import BASELINES
from memcom_rank.baselines import CONTENDERS, Ease, search, trainers
from memcom_rank.baselines.search import Contender
from tests.baselines.logs import IDS, USERS, play_log

HISTORY = torch.tensor([[3, 5, 0], [8, 2, 9]])


def test_knob_by_knob_and_then_the_choices_beside_the_best():
    values = {(1, 1): 0.1, (2, 1): 0.2, (3, 1): 0.15, (2, 2): 0.3, (2, 3): 0.1, (1, 2): 0.4, (1, 3): 0.4}
    tried = []

    def fit(a, b):
        tried.append((a, b))
        return a, b

    contender = Contender({"a": (1, 2, 3), "b": (1, 2, 3)}, {"a": 1, "b": 1})
    best = search(contender, fit, lambda pair: values.get(pair, 0.0))
    assert tried == [(1, 1), (2, 1), (3, 1), (2, 2), (2, 3), (1, 2), (3, 2), (1, 3)]  # nothing twice
    assert (best.knobs, best.fitted, best.value) == ({"a": 1, "b": 2}, (1, 2), 0.4)  # the first of equals


def test_what_has_no_knobs_is_fitted_once():
    told = []
    best = search(CONTENDERS["popularity"], lambda: "fitted", lambda fitted: 0.5, told.append)
    assert told == [best]
    assert best.fitted == "fitted"


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_contender_starts_inside_its_grid_and_can_be_fitted(name):
    grid, start = CONTENDERS[name]
    assert list(BASELINES) == list(CONTENDERS)  # --only offers what there is
    assert set(grid) == set(start)
    assert all(start[knob] in choices for knob, choices in grid.items())
    assert all(len(set(choices)) == len(choices) for choices in grid.values())
    small = {"factors": 2, "iterations": 2, "neighbours": 2}
    knobs = {knob: small.get(knob, value) for knob, value in start.items()}
    fitted = trainers((*play_log()[:2], USERS, IDS), seed=0)[name](**knobs)
    assert fitted.score(HISTORY).shape == (2, IDS)


def test_ease_by_its_shared_gram_is_ease():
    facts = (*play_log()[:2], USERS, IDS)
    ease = trainers(facts, seed=0)["ease"]
    for ridge in (20.0, 500.0):
        assert torch.equal(ease(ridge=ridge).score(HISTORY), Ease(ridge).fit(*facts).score(HISTORY))
