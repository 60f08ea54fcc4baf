"""Leakage: a dataset folder -> what is known about answers that could have slipped into training.

Counted from the tables, not from what the build believed; only what needs times, which the tables do not hold, was
counted at build time (`data_prep/times.py`).
"""

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_prep.tables import Integers, Rows, check_range, integers, read_columns, read_rows
from data_prep.times import order_in_time
from memcom_rank.contract.manifest import Manifest
from memcom_rank.contract.schemas import (
    FIRST_GAME_ID,
    GAMES,
    HISTORIES,
    LABELS,
    PAIRS,
    SPLITS,
    TEST,
    UNKNOWN_ID,
    VALIDATION,
)


def leakage(folder: Path, manifest: Manifest) -> dict[str, str]:
    """Return a line per question; it starts with "ok", "problem", "note" (expected, worth knowing) or "unknown".

    Of a labelled dataset the questions are those of `label_leakage`, of others these.

    users: is a user one row, and which users do the splits share? rows: is a (user, game) in one split only? history:
    are held-out games shown to the ranker as history? pairs: are the graded pairs of training games? popularity: is it
    counted on training rows? times, or own times and all times: are training rows later than test rows?

    Raises:
        DatasetError: a table is missing, damaged, or does not fit the manifest.
    """
    if manifest.labels:
        return label_leakage(folder, manifest)
    splits = {
        "train": read_rows(folder, HISTORIES, manifest),
        "validation": read_rows(folder, VALIDATION, manifest),
        "test": read_rows(folder, TEST, manifest),
    }
    persons = _persons(folder, manifest)
    keys = {name: _keys(persons, rows, manifest.num_ids) for name, rows in splits.items()}
    sets = {name: np.unique(found) for name, found in keys.items()}
    return {
        "users": _users(persons, splits),
        "rows": _rows(keys, sets, splits),
        "history": _history(keys, sets, splits),
        "pairs": _pairs(folder, manifest, persons, sets["train"]),
        "popularity": _popularity(folder, manifest, sets),
        **order_in_time(manifest),
    }


def label_leakage(folder: Path, manifest: Manifest) -> dict[str, str]:
    """Return a line per question about a labelled dataset, which holds out whole users.

    users: is every user one row, in one split, with one label? rows: is a (user, game) there twice? popularity: is it
    counted on training users? label: may the label's own row be in the history? times: what came first?

    Raises:
        DatasetError: a table is missing, damaged, or does not fit the manifest.
    """
    histories, persons = read_rows(folder, HISTORIES, manifest), _persons(folder, manifest)
    table = read_columns(folder, LABELS, manifest, ["row", "split", "label"])
    listed, places = integers(table["row"]), pc.index_in(table["split"], value_set=pa.array(SPLITS))
    check_range(folder, LABELS, listed, 0, manifest.num_users)
    split_of = np.full(manifest.num_users, -1)
    split_of[listed] = integers(pc.fill_null(places, -1))
    owners = split_of[histories.owners]
    splits = {
        name: Rows(histories.owners[owners == code], histories.games[owners == code], np.flatnonzero(split_of == code))
        for code, name in enumerate(SPLITS)
    }
    keys = {name: _keys(persons, rows, manifest.num_ids) for name, rows in splits.items()}
    sets = {name: np.unique(found) for name, found in keys.items()}
    shared = sum(
        _shared(np.unique(persons[splits[one].listed]), np.unique(persons[splits[other].listed]))
        for one, other in itertools.combinations(SPLITS, 2)
    )
    users = f"ok: {', '.join(f'{len(rows.listed):,} {name}' for name, rows in splits.items())} users, none in two"
    if shared or len(listed) != len(np.unique(listed)) or (split_of < 0).any():
        users = f"problem: {shared:,} users are in two splits, {int((split_of < 0).sum()):,} in none"
    told = "note: the build took that of each user's last row in time, and left its game out of the history"
    if not manifest.timed:
        told = "note: the log is untimed, so whether games of the history came before the label is not known"
    return {
        "users": users,
        "rows": _rows(keys, sets, splits),
        "popularity": _popularity(folder, manifest, sets),
        "label": told,
        "times": "note: users are held out, not times: training users' rows may be later than test users' labels",
    }


def leakage_report(folder: Path, manifest: Manifest) -> str:
    """Return `leakage` as lines of text."""
    lines = [f"{name:<13}{told}" for name, told in leakage(folder, manifest).items()]
    return "\n".join(["leakage", *lines])


def _persons(folder: Path, manifest: Manifest) -> Integers:
    """Who each row of histories is: equal numbers are equal users."""
    users = read_columns(folder, HISTORIES, manifest, ["user"])["user"].combine_chunks()
    return integers(pc.rank(users, sort_keys="ascending", tiebreaker="min")) if manifest.num_users else np.arange(0)


def _keys(persons: Integers, rows: Rows, num_ids: int) -> Integers:
    """One number per (user, game); unknown games are left out: the tables do not say which they are."""
    known = rows.games != UNKNOWN_ID
    keys: Integers = persons[rows.owners[known]] * num_ids + rows.games[known]
    return keys


def _shared(some: Integers, ordered: Integers) -> int:
    """How many of `some` are in `ordered`, which is sorted."""
    if not len(ordered):
        return 0
    place = np.minimum(np.searchsorted(ordered, some), len(ordered) - 1)
    return int((ordered[place] == some).sum())


def _users(persons: Integers, splits: dict[str, Rows]) -> str:
    wrong = []
    if repeated := len(persons) - len(np.unique(persons)):
        wrong.append(f"{repeated:,} rows of histories are of a user who has one already, and pass for other users")
    for name in ("validation", "test"):
        listed = splits[name].listed
        if repeated := len(listed) - len(np.unique(listed)):
            wrong.append(f"{name} lists {repeated:,} users again")
    if wrong:
        return f"problem: {'; '.join(wrong)}"
    trained = np.unique(splits["train"].owners)
    shared = ", ".join(
        f"{_shared(splits[name].listed, trained):,} of {len(splits[name].listed):,} {name} users"
        for name in ("validation", "test")
    )
    return f"ok: one row each; also in training: {shared} (games are split, not users)"


def _rows(keys: dict[str, Integers], sets: dict[str, Integers], splits: dict[str, Rows]) -> str:
    wrong = [
        f"{shared:,} are in both {one} and {other}"
        for one, other in itertools.combinations(sets, 2)
        if (shared := _shared(sets[other], sets[one]))
    ]
    wrong += [f"{again:,} are twice in {name}" for name in sets if (again := len(keys[name]) - len(sets[name]))]
    if wrong:
        return f"problem: of the (user, game) rows {', '.join(wrong)}"
    unknown = sum(len(splits[name].games) - len(found) for name, found in keys.items())
    beside = f" ({unknown:,} held-out rows of games unknown to training left aside)" if unknown else ""
    return f"ok: no (user, game) row is in two splits{beside}"


def _history(keys: dict[str, Integers], sets: dict[str, Integers], splits: dict[str, Rows]) -> str:
    shown_at = {"validation": sets["train"], "test": np.union1d(sets["train"], sets["validation"])}
    seen = {name: _shared(keys[name], shown) for name, shown in shown_at.items()}
    words = []
    for name, count in seen.items():
        total = len(splits[name].games)
        words.append(f"{count:,} of {total:,} {name} games" + (f" ({count / total:.1%})" if count else ""))
    verdict = "problem" if any(seen.values()) else "ok"
    return f"{verdict}: {' and '.join(words)} are in the history that the ranker is shown"


def _pairs(folder: Path, manifest: Manifest, persons: Integers, train: Integers) -> str:
    table = read_columns(folder, PAIRS, manifest, ["row", "preferred", "other"])
    rows = integers(table["row"])
    check_range(folder, PAIRS, rows, 0, manifest.num_users)
    owners, foreign = persons[rows] * manifest.num_ids, 0
    for name in ("preferred", "other"):
        foreign += len(rows) - _shared(owners + integers(table[name]), train)
    if foreign:
        return f"problem: {foreign:,} games of {len(rows):,} graded pairs are not training games of their user"
    return f"ok: both games of all {len(rows):,} graded pairs are training games of their user"


def _popularity(folder: Path, manifest: Manifest, sets: dict[str, Integers]) -> str:
    table = read_columns(folder, GAMES, manifest, ["id", "popularity"])
    ids, stored = integers(table["id"]), integers(table["popularity"])
    check_range(folder, GAMES, ids, FIRST_GAME_ID, manifest.num_ids)
    counts = {name: np.bincount(found % manifest.num_ids, minlength=manifest.num_ids) for name, found in sets.items()}
    wanted = counts["train"][ids]
    wrong = np.flatnonzero(stored != wanted)
    if len(wrong):
        everywhere = np.sum(list(counts.values()), axis=0)
        cause = "; held-out rows are counted in" if (stored == everywhere[ids]).all() else ""
        worst = wrong[0]
        return (
            f"problem: {len(wrong):,} of {len(ids):,} games, e.g. id {ids[worst]}: games.parquet says"
            f" {stored[worst]:,}, its training users are {wanted[worst]:,}{cause}"
        )
    if (ids != np.arange(FIRST_GAME_ID, manifest.num_ids)).any() or (np.diff(wanted) > 0).any():
        return "problem: game ids are not in order of descending training popularity"
    return f"ok: that of all {len(ids):,} games is their number of training users, recounted"
