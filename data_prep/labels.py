"""Labels: a raw log with a label column -> the log that may be shown, and what is to be told of each user.

In:  user, game, label (null: unknown), and where the source has them timestamp, split; one row per event.
Out: the log without the label, in its order; and a frame of users: user, label, split, sorted by user.

A label is a fact of a user. Untimed, it must be the same in all rows of a user. With times it is that of the user's
last row (ties by game id), and the game of that row is not shown, whenever else it was played: a label that belongs to
the game, say the genre of the next one, could be read off it.
"""

import numpy as np
import polars as pl
import pyarrow as pa

from data_prep.options import Options
from data_prep.split import SPLIT
from memcom_rank.contract.errors import InputError, SplitError
from memcom_rank.contract.schemas import MAX_LABELS

_SEED_STREAM = 6  # this step's own random stream under the build's seed
USER_SHARE = 0.1  # of the users go to test, as many to validation
_SHOWN_VALUES = 5


def user_labels(log: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that may be shown; and user, label of every user with a label, sorted by user.

    Raises:
        InputError: a user has several labels (untimed: in any rows; timed: in rows of the last game at the last time).
    """
    if "timestamp" in log.columns:
        last = log.filter(pl.col("timestamp") == pl.col("timestamp").max().over("user"))
        last = last.filter(pl.col("game") == pl.col("game").max().over("user"))
        users = _one_label(last, "at its last time for its last game")
        log = log.join(last.select("user", "game").unique(), on=["user", "game"], how="anti", maintain_order="left")
    else:
        users = _one_label(log, "")
    return log, users


def keep_labelled(log: pl.DataFrame, users: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return log and users without users who have no label or no game to show; the log without its column label.

    Raises:
        InputError: fewer than two labels are left, or more than `MAX_LABELS`.
    """
    users = users.join(log, on="user", how="semi", maintain_order="left")
    _check_count(users["label"])
    return log.join(users, on="user", how="semi", maintain_order="left").drop("label"), users


def add_user_split(users: pl.DataFrame, log: pl.DataFrame, options: Options) -> pl.DataFrame:
    """Return `users` with the column `split`.

    Args:
        users: user, label; sorted by user.
        log: their rows, with `split` where it is published.
        options: split and seed.

    Raises:
        SplitError: a user is in several published splits, or a split is left without users.
    """
    rng = np.random.default_rng([options.seed, _SEED_STREAM])
    share = max(1, int(users.height * USER_SHARE))
    codes = np.zeros(users.height, np.uint8)
    if options.split_column is None:
        drawn = rng.permutation(users.height)
        codes[drawn[:share]], codes[drawn[share : 2 * share]] = 2, 1
    else:
        given = log.group_by("user").agg(pl.col("split").cast(pl.String).unique().sort()).sort("user")
        _refuse_several(given, "split", SplitError, "be a split of users: each in one of them")
        codes = given["split"].list.first().cast(SPLIT).to_physical().to_numpy().copy()
        if not (codes == 1).any():
            train = np.flatnonzero(codes == 0)
            codes[rng.permutation(train)[: max(1, int(len(train) * USER_SHARE))]] = 1
    for code, name in enumerate(SPLIT.categories):
        if not (codes == code).any():
            raise SplitError(
                f"--split {options.split} leaves no {name} users of {users.height:,} with a label and a game",
                wanted="users in train, validation and test",
                fix="bring a larger log, or choose another --split",
            )
    return users.with_columns(pl.Series("split", codes.astype(np.uint8)).cat.to(SPLIT))


def label_table(users: pl.DataFrame) -> pa.Table:
    """Return the table labels: row, split, label. Takes user, label, split, sorted by user, of all users."""
    return users.with_row_index("row").select("row", pl.col("split").cast(pl.String), "label").to_arrow()


def _one_label(rows: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return user, label of users with a label in some of `rows`, all of them the same."""
    found = rows.drop_nulls("label").group_by("user").agg(pl.col("label").unique().sort()).sort("user")
    _refuse_several(found, "label", InputError, f"be one for each user {where}".strip())
    return found.with_columns(pl.col("label").list.first())


def _refuse_several(found: pl.DataFrame, name: str, error: type[InputError | SplitError], wanted: str) -> None:
    """Refuse users with more than one value in the list column `name`."""
    several = found.filter(pl.col(name).list.len() > 1)
    if several.height:
        user, values = several.select("user", name).row(0)
        more = ", ..." if len(values) > _SHOWN_VALUES else ""
        raise error(
            f"{several.height:,} users have several values of the {name}, e.g. user {user!r}:"
            f" {', '.join(values[:_SHOWN_VALUES])}{more}",
            wanted=f"the {name} to {wanted}",
            fix="mend those rows, or map another column; a label that changes in time needs --timestamp",
        )


def _check_count(labels: pl.Series) -> None:
    count = labels.n_unique()
    if count < 2:
        raise InputError(
            f"the {labels.len():,} users with a label and a game to show have {count} different labels",
            wanted="at least two labels",
            fix="map another column with --label; with --timestamp the last game of a user is not shown",
        )
    if count > MAX_LABELS:
        raise InputError(
            f"the label has {count:,} values for {labels.len():,} users, e.g. {labels.min()!r}; is this a label?",
            wanted=f"from 2 to {MAX_LABELS:,} values",
            fix="map another column with --label, or put its values into groups",
        )
