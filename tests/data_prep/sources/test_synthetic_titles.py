import re

import numpy as np

from data_prep.sources.synthetic_titles import GENRES, titles


def test_all_different_even_with_sequels() -> None:
    rng = np.random.default_rng(0)
    genre = rng.integers(0, len(GENRES), 20_000)
    made = titles(genre, rng)
    assert len(set(made)) == len(made) == 20_000
    assert all(re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+( [2-9]\d*)?", title) for title in made)


def test_the_noun_tells_the_genre() -> None:
    genre = np.arange(len(GENRES)).repeat(5)
    for title, number in zip(titles(genre, np.random.default_rng(1)), genre, strict=True):
        assert title.split()[1] in list(GENRES.values())[number]


def test_no_noun_belongs_to_two_genres() -> None:
    nouns = [noun for words in GENRES.values() for noun in words]
    assert len(nouns) == len(set(nouns))
