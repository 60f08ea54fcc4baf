import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcom_rank.runtime import BundleError, Game, Games, pack_games
from memcom_rank.runtime.games import unpack
from tests.runtime.bundles import GAMES

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.sampled_from(["\\n", "\t", "\\"])


def games_of(listed):
    packed = pack_games(listed)
    text = gzip.decompress(packed)
    return Games(unpack([packed], len(text)), len(listed))


@settings(max_examples=30)
@given(st.lists(st.tuples(names, names), max_size=9, unique_by=lambda game: game[0]))
def test_games_come_back_and_are_found(listed):
    games = games_of(listed)
    assert list(games) == [Game(*game) for game in listed]
    assert len(games) == len(listed)
    for place, (own_id, title) in enumerate(listed):
        assert games[place] == games[place - len(listed)] == (own_id, title)
        assert games.with_id(own_id) == [place]
        assert games.with_title(title) == [place for place, game in enumerate(listed) if game[1] == title]
    assert list(games[1:3]) == listed[1:3]


def test_what_is_not_there_is_not_found():
    games = games_of(GAMES)
    for name in ("Dota", "ota 2", "Dota 2\n400", "570\tDota 2", "", "portal"):
        assert games.with_id(name) == games.with_title(name) == []
    assert games.with_title("Twins") == [7, 8]
    assert games.with_id("400") == [1]
    assert games.with_title("400") == [9]
    with pytest.raises(IndexError):
        games[len(GAMES)]


def test_a_title_that_is_the_own_id_stands_once_and_equal_games_are_equal_bytes():
    packed = pack_games([("Portal", "Portal"), ("a\tb", "c\\\n")])
    assert gzip.decompress(packed) == b"Portal\na\\tb\tc\\\\\\n\n"
    assert packed[4:8] == bytes(4)  # no time of writing


@pytest.mark.parametrize(
    "games",
    [[("a", "x"), ("a", "y")], [("", "x")], [("a", "")], [("a", "\ud800")]],
    ids=["twice", "id", "title", "text"],
)
def test_games_that_cannot_be_written(games):
    with pytest.raises(BundleError, match="to do:"):
        pack_games(games)


@pytest.mark.parametrize(
    ("text", "num_games"),
    [
        (b"a\nb", 2),
        (b"a\n\nb\n", 3),
        (b"a\tb\tc\n", 1),
        (b"\tb\n", 1),
        (b"a\t\n", 1),
        (b"a\\x\n", 1),
        (b"a\\\n", 1),
        (b"\xff\n", 1),
        (b"caf\xc3\n", 1),
        (b"a\nb\n", 3),
        (b"a\nb\n", 1),
    ],
)
def test_odd_lists_are_refused(text, num_games):
    with pytest.raises(BundleError, match="list"):
        Games(text, num_games)


@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p + b"x", lambda p: p + p, lambda p: b"x" + p[1:]])
def test_packed_lists_that_were_changed(change):
    packed = pack_games(GAMES)
    size = len(gzip.decompress(packed))
    assert len(unpack([packed], size)) == size
    with pytest.raises(BundleError, match="unpack"):
        unpack([change(packed)], size)


@pytest.mark.parametrize("more", [-1, 1])
def test_the_size_must_be_the_stated_one(more):
    packed = pack_games(GAMES)
    with pytest.raises(BundleError, match="more or less"):
        unpack([packed], len(gzip.decompress(packed)) + more)


def test_a_bomb_is_not_unpacked():
    bomb = gzip.compress(bytes(1 << 24))
    with pytest.raises(BundleError, match="more or less"):
        unpack([bomb], 100)


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_a_file_may_come_in_pieces(step):
    listed = [(str(n), "Title" * 500) for n in range(500)]  # more than is unpacked at once
    packed = pack_games(listed)
    text = gzip.decompress(packed)
    first = len(packed) - 1000 * step
    pieces = [packed[: max(first, 0)]] + [packed[at : at + step] for at in range(max(first, 0), len(packed), step)]
    assert unpack(pieces, len(text)) == text
    for more in (b"x", packed):
        with pytest.raises(BundleError, match="more or less"):
            unpack([*pieces, more], len(text))


def test_many_games_of_one_title():
    games = games_of([(str(n), f"Twins {n % 3}") for n in range(3000)])
    assert games.with_title("Twins 1") == list(range(1, 3000, 3))
    assert games.with_id("2999") == [2999]
