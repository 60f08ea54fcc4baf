import pytest

from memcom_rank.runtime import Game
from memcom_rank.runtime.titles import nearest, plain
from tests.runtime.bundles import GAMES

CATALOGUE = [Game(*game) for game in GAMES]


@pytest.mark.parametrize(
    ("title", "bare"),
    [
        ("PORTAL™ 2: Épisode", "portal 2 episode"),
        ("Don't Starve", "dont starve"),
        ("Don\u2019t  Starve!", "dont starve"),
        ("Red & Blue", "red and blue"),
        ("東方紅魔郷", "東方紅魔郷"),
        ("!?", ""),
    ],
)
def test_plain(title, bare):
    assert plain(title) == bare


@pytest.mark.parametrize(
    ("typed", "titles"),
    [
        ("dota 2", ["Dota 2"]),
        ("dota", ["Dota 2"]),
        ("dota2", ["Dota 2"]),
        ("portal", ["Portal", "Portal 2"]),
        ("prtal", ["Portal", "Portal 2"]),
        ("half life 2", ["Half-Life 2", "Half-Life"]),
        ("HALF-LIFE", ["Half-Life", "Half-Life 2"]),
        ("pokemon red and blue", ["Pokémon™: Red & Blue"]),
        ("red & blue", ["Pokémon™: Red & Blue"]),
        ("dont starv", ["Don't Starve"]),
        ("東方紅魔郷", ["東方紅魔郷"]),
        ("twins", ["Twins", "Twins"]),
        ("zzzz", []),
        ("ortal", ["Portal", "Portal 2"]),
        ("or", []),
        ("紅魔", ["東方紅魔郷"]),
        ("!?", []),
    ],
)
def test_nearest(typed, titles):
    assert [CATALOGUE[place].title for place in nearest(typed, CATALOGUE, 3)] == titles


def test_of_equals_the_more_popular_comes_first_and_the_most_is_kept():
    assert nearest("twins", CATALOGUE, 3) == [7, 8]
    assert nearest("twins", CATALOGUE, 1) == [7]


def test_a_popular_title_that_holds_the_words_comes_before_a_rare_one_that_begins_with_them():
    titles = ["The Elder Scrolls V Skyrim", "Skyrim High Resolution Texture Pack"]
    assert nearest("skyrim", [Game(title, title) for title in titles], 2) == [0, 1]
