"""Dataset folders written by hand, with pyarrow and the contract alone."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from memcom_rank.contract.manifest import Manifest, write_manifest
from memcom_rank.contract.schemas import FIRST_GAME_ID, LABELS, TABLES, file_name, schema


def write_tables(
    folder, *, histories, validation=None, test=None, pairs=(), num_games=None, digest="sha256:0", labels=()
):
    """Write a dataset.

    Args:
        folder: made if it is missing.
        histories: the training ids of each user, a list of lists.
        validation, test: {row: held-out ids}.
        pairs: (row, preferred, other, weight), sorted by row.
        num_games: games of the catalogue; by default as many as the greatest training id asks for.
        digest: what the manifest says.
        labels: (split, label) of each user, in a labelled dataset; popularity then counts training users.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    splits = [split for split, _ in labels] or ["train"] * len(histories)
    seen = [game for games, split in zip(histories, splits, strict=True) if split == "train" for game in games]
    num_games = max(seen, default=FIRST_GAME_ID) - FIRST_GAME_ID + 1 if num_games is None else num_games
    ids = list(range(FIRST_GAME_ID, FIRST_GAME_ID + num_games))
    columns = {
        "histories": [list(range(100, 100 + len(histories))), histories, [grades(games) for games in histories]],
        "games": [ids, [f"g{i}" for i in ids], [f"Game {i}" for i in ids], [seen.count(i) for i in ids]],
        "pairs": [list(column) for column in zip(*pairs, strict=True)] or [[], [], [], []],
    }
    for split, games in (("validation", validation or {}), ("test", test or {})):
        rows = sorted(games)
        columns[split] = [rows, [games[row] for row in rows], [grades(games[row]) for row in rows]]
    columns["labels"] = [list(range(len(labels))), splits, [label for _, label in labels]]
    for table in (*TABLES, *[LABELS] * bool(labels)):
        kinds = schema(table, user_type="int64", game_type="string")
        arrays = [pa.array(column, field.type) for column, field in zip(columns[table], kinds, strict=True)]
        pq.write_table(pa.table(arrays, schema=kinds), folder / file_name(table))
    manifest = Manifest(
        source="table",
        options={},
        seed=1,
        user_type="int64",
        game_type="string",
        timed=False,
        num_users=len(histories),
        num_games=num_games,
        grade_edges_hours=[],
        steps={},
        splits={},
        references={},
        digest=digest,
        labels=sorted({label for _, label in labels}),
    )
    write_manifest(folder, manifest)
    return folder


def grades(games):
    """Some grades that tell games apart."""
    return [1 + game % 4 for game in games]


def two_clusters(folder, *, users=40, games=16, digest="sha256:0"):
    """Users play either the games of even or those of odd id; one of them is held out for each split."""
    draw = random.Random(7)
    histories, validation, test = [], {}, {}
    for row in range(users):
        own = [game for game in range(FIRST_GAME_ID, FIRST_GAME_ID + games) if game % 2 == row % 2]
        draw.shuffle(own)
        histories.append(sorted(own[2:]))
        validation[row], test[row] = [own[0]], [own[1]]
    pairs = [(row, max(own), min(own), 1.0) for row, own in enumerate(histories)]
    return write_tables(
        folder, histories=histories, validation=validation, test=test, pairs=pairs, num_games=games, digest=digest
    )


def labelled_clusters(folder, *, users=60, games=16, digest="sha256:0"):
    """Users play games of even or of odd id and are called after it; every sixth user is one of validation or test."""
    draw = random.Random(7)
    histories, labels = [], []
    for row in range(users):
        own = [game for game in range(FIRST_GAME_ID, FIRST_GAME_ID + games) if game % 2 == row % 2]
        histories.append(sorted(draw.sample(own, 5)))
        split = "validation" if row // 2 % 6 == 0 else "test" if row // 2 % 6 == 1 else "train"
        labels.append((split, ("even", "odd")[row % 2]))
    return write_tables(folder, histories=histories, labels=labels, num_games=games, digest=digest)
