import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memcom_rank.data.ragged import Ragged, append, select

LISTS = st.lists(st.lists(st.integers(1, 2**31 - 1), max_size=5), max_size=6)


def ragged(lists):
    return Ragged.from_arrow(pa.chunked_array([pa.array(lists, pa.list_(pa.int32()))]))


def plain(table):
    return [table.values[a:b].tolist() for a, b in zip(table.offsets[:-1], table.offsets[1:], strict=True)]


def padded(lists):
    longest = max([1, *map(len, lists)])
    return [values + [0] * (longest - len(values)) for values in lists]


@given(LISTS)
def test_arrow_lists_come_back(lists):
    table = ragged(lists)
    assert plain(table) == lists
    assert table.lengths.tolist() == [len(values) for values in lists]
    assert table.offsets.dtype == table.values.dtype == torch.int64


@given(LISTS, st.data())
def test_chunks_and_slices_make_no_difference(lists, data):
    cut = data.draw(st.integers(0, len(lists)))
    whole = pa.array([[9, 9], *lists, [9]], pa.list_(pa.int32()))  # a slice keeps its neighbours' values
    column = pa.chunked_array([whole[1 : 1 + cut], whole[1 + cut : 1 + len(lists)]])
    assert plain(Ragged.from_arrow(column)) == lists


def test_a_column_of_no_chunks_is_empty():
    table = Ragged.from_arrow(pa.chunked_array([], type=pa.list_(pa.int32())))
    assert table.offsets.tolist() == [0]
    assert table.values.tolist() == []


@given(LISTS.filter(len), st.data())
def test_padded_equals_plain_lists(lists, data):
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    found = ragged(lists).padded(torch.tensor(rows, dtype=torch.int64))
    assert found.tolist() == padded([lists[row] for row in rows])
    assert found.dtype == torch.int64


@given(LISTS.filter(len), st.data())
def test_take_equals_slices(lists, data):
    flat = [value for values in lists for value in values]
    pieces = data.draw(
        st.lists(st.integers(0, len(flat)).flatmap(lambda a: st.tuples(st.just(a), st.integers(0, len(flat) - a))))
    )
    starts, lengths = (torch.tensor([p[i] for p in pieces], dtype=torch.int64) for i in (0, 1))
    assert ragged(lists).take(starts, lengths).tolist() == padded([flat[a : a + n] for a, n in pieces])


@given(LISTS.filter(len), st.data())
def test_select_equals_plain_lists(lists, data):
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    assert plain(select(ragged(lists), torch.tensor(rows, dtype=torch.int64))) == [lists[row] for row in rows]


@given(LISTS, st.data())
def test_append_equals_plain_lists(lists, data):
    rows = data.draw(
        st.permutations(range(len(lists))).map(lambda order: order[: data.draw(st.integers(0, len(lists)))])
    )
    extra = [data.draw(st.lists(st.integers(1, 9), max_size=3)) for _ in rows]
    wanted = [list(values) for values in lists]
    for row, values in zip(rows, extra, strict=True):
        wanted[row] += values
    assert plain(append(ragged(lists), torch.tensor(rows, dtype=torch.int64), ragged(extra))) == wanted


@pytest.mark.parametrize("lists", [[], [[]], [[], []]])
def test_nothing_is_one_column_of_padding(lists):
    rows = torch.arange(len(lists))
    assert ragged(lists).padded(rows).shape == (len(lists), 1)
    assert not ragged(lists).padded(rows).any()
