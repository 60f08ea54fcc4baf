import pickle

import pytest

from memcom_rank.contract import errors

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", ALL)
def test_says_what_was_seen_wanted_and_to_do(kind: type[errors.MemcomRankError]) -> None:
    text = str(kind("saw a cat", wanted="a dog", fix="buy one"))
    assert text.splitlines() == ["saw a cat", "  wanted: a dog", "  to do:  buy one"]


@pytest.mark.parametrize("kind", ALL)
def test_survives_pickling(kind: type[errors.MemcomRankError]) -> None:
    error = kind("seen", wanted="wanted", fix="fix")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)


def test_one_handler_catches_all() -> None:
    assert all(issubclass(kind, errors.MemcomRankError) for kind in ALL)
    assert len(ALL) > 5


def test_a_diverged_model_is_a_wrong_configuration():
    assert isinstance(errors.diverged(), errors.ConfigError)
    assert "NaN" in errors.diverged().seen
