import numpy as np
import pyarrow as pa
import pytest
import torch

from memcom_rank.callbacks.slices import (
    MOST_LABELS,
    SLICES,
    history_lengths,
    middle_games,
    popularity_slices,
    slice_columns,
    slice_facts,
    slice_members,
    slice_words,
)
from memcom_rank.data import LabelBatch, RankingDataset
from tests.data.tiny import labelled_clusters


def plain_slices(popularity):
    """{id: slice}, walking down the catalogue."""
    found, before = {1: "unknown"}, 0
    for game, count in enumerate(popularity, start=2):
        share = before / max(sum(popularity), 1)
        found[game] = "head" if share < 1 / 3 else "middle" if share < 2 / 3 else "tail"
        before += count
    return found


@pytest.mark.parametrize(
    ("popularity", "wanted"),
    [
        ([3, 3, 3], ["head", "middle", "tail"]),
        ([4, 2, 2, 1], ["head", "middle", "tail", "tail"]),  # rows begin at 0, 4, 6 and 8 of 9
        ([9, 1, 1], ["head", "tail", "tail"]),  # one game holds more than two thirds
        ([5], ["head"]),
        ([2, 1, 0], ["head", "tail", "tail"]),
        ([0, 0], ["head", "head"]),
    ],
)
def test_thirds_of_the_rows(popularity, wanted):
    ids = np.arange(1, len(popularity) + 2)
    assert popularity_slices(np.array(popularity), ids).tolist() == ["unknown", *wanted]
    assert list(plain_slices(popularity).values()) == ["unknown", *wanted]


def test_thirds_of_a_large_catalogue_equal_a_plain_loop():
    draw = np.random.default_rng(0)
    popularity = np.sort(draw.zipf(1.3, 500).clip(max=10_000))[::-1]
    ids = draw.integers(1, 502, 1_000)
    wanted = plain_slices(popularity.tolist())
    assert popularity_slices(popularity, ids).tolist() == [wanted[game] for game in ids]
    assert {*wanted.values()} == {"head", "middle", "tail", "unknown"}


def test_no_game_to_look_up():
    assert popularity_slices(np.array([2, 1]), np.array([], np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("held_out", "wanted"),
    [([7], 7), ([1], 1), ([3, 7], 7), ([7, 3], 7), ([9, 3, 7], 7), ([1, 3], 1), ([1, 3, 5], 5), ([1, 1, 5], 1)],
)
def test_the_middle_held_out_game(held_out, wanted):
    padded = torch.tensor([[*held_out, *[0] * (4 - len(held_out))], [2, 3, 4, 5]])
    assert middle_games(padded).tolist() == [wanted, 4]


def test_middle_games_equal_a_plain_sort():
    draw = np.random.default_rng(1)
    lists = [draw.choice(np.arange(1, 30), draw.integers(1, 9), replace=False).tolist() for _ in range(200)]
    padded = torch.tensor([games + [0] * (9 - len(games)) for games in lists])
    by_popularity = [sorted(games, key=lambda game: 99 if game == 1 else game) for games in lists]
    assert middle_games(padded).tolist() == [games[len(games) // 2] for games in by_popularity]


def test_a_step_without_users():
    nobody = torch.zeros(0, 1, dtype=torch.int64)
    assert middle_games(nobody).shape == history_lengths(nobody).shape == (0,)


def test_history_lengths():
    assert history_lengths(torch.tensor([[0, 0, 0], [5, 0, 0], [1, 5, 7]])).tolist() == [0, 1, 3]


def test_every_user_is_in_one_slice_of_each_kind():
    lengths = [0, 1, 2, 3, 5, 6, 20, 21, 5_000]
    popularity = ["head", "tail", "unknown", "middle", "head", "head", "tail", "tail", "unknown"]
    members = slice_members(pa.table({"history_length": lengths, "popularity": popularity}))
    assert list(members) == list(SLICES)
    named = [[name for name, member_N in members.items() if member_N[user]] for user in range(9)]
    history = ["cold", *["history_1-2"] * 2, *["history_3-5"] * 2, *["history_6-20"] * 2, *["history_21+"] * 2]
    assert named == [list(pair) for pair in zip(popularity, history, strict=True)]


def test_labels_take_the_place_of_popularity(tmp_path):
    dataset = RankingDataset(labelled_clusters(tmp_path))
    batch = LabelBatch(0, torch.tensor([1, 2]), torch.tensor([[3, 5], [2, 0]]), torch.tensor([1, 0]))
    facts = {key: values.numpy() for key, values in slice_facts(batch).items()}
    table = pa.table(slice_columns(dataset, facts))
    assert table.to_pylist() == [{"history_length": 2, "label": "odd"}, {"history_length": 1, "label": "even"}]
    members = {name: member.tolist() for name, member in slice_members(table).items()}
    assert members.pop("label_odd") == [True, False]
    assert members.pop("label_even") == [False, True]
    assert members["history_1-2"] == [True, True]
    assert not set(members) & {"head", "middle", "tail", "unknown"}


def test_of_many_labels_the_most_frequent_have_slices():
    labels = [f"l.{n:02d}" for n in range(30) for _ in range(n % 15 + 1)]
    members = slice_members(pa.table({"history_length": [1] * len(labels), "label": labels}))
    found = {name: int(member.sum()) for name, member in members.items() if name.startswith("label_")}
    assert len(found) == MOST_LABELS == 10
    assert list(found.values()) == [15, 15, 14, 14, 13, 13, 12, 12, 11, 11]
    assert list(found)[:2] == ["label_l.14", "label_l.29"]


def test_the_words_of_slices():
    assert slice_words("label_head") == "label: head"
    assert [slice_words(name) for name in ("head", "cold")] == ["held-out game: head", "history: none, a cold user"]
