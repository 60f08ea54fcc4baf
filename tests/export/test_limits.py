import pytest

from memcom_rank.contract.errors import ExportError
from memcom_rank.export.agreement import Agreement
from memcom_rank.export.limits import LIMITS, check_agreement, check_bytes
from memcom_rank.export.swap import BITS


def test_there_are_limits_for_all_bits_and_more_bits_have_closer_ones():
    limits = [LIMITS[bits] for bits in BITS]
    assert list(LIMITS) == list(BITS)
    assert [one.score for one in limits] == sorted(one.score for one in limits)
    assert [one.overlap for one in limits] == sorted((one.overlap for one in limits), reverse=True)
    assert LIMITS[8].overlap >= 0.98


@pytest.mark.parametrize("bits", BITS)
def test_what_is_within_passes(bits):
    check_agreement(Agreement(9.0, LIMITS[bits].score, LIMITS[bits].overlap, 3), bits)


@pytest.mark.parametrize("found", [(0.06, 1.0), (0.0, 0.979), (float("nan"), 1.0)])
def test_what_is_beyond_is_refused(found):
    share, overlap = found
    with pytest.raises(ExportError, match="more --bits"):
        check_agreement(Agreement(0.1, share, overlap, 3), 8)


def test_numbers_that_stand_twice_or_a_long_graph_are_refused():
    check_bytes({"embedding": 90, "bias": 10, "graph": 50}, 100, 50)
    for sizes in ({"embedding": 101, "graph": 0}, {"embedding": 0, "graph": 51}):
        with pytest.raises(ExportError, match="at most 100"):
            check_bytes(sizes, 100, 50)
