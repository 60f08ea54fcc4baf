import pickle

import pytest

from memcom_rank.runtime import BundleError, HistoryError, RankerError


@pytest.mark.parametrize("kind", [BundleError, HistoryError])
def test_an_error_says_three_things_and_survives_pickling(kind):
    error = kind("a", wanted="b", fix="c")
    assert str(error) == "a\n  wanted: b\n  to do:  c"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert isinstance(error, RankerError)
