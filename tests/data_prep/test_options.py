import dataclasses
from pathlib import Path
from typing import Any

import pytest

from data_prep.options import Options
from memcom_rank.contract.errors import ConfigError

TABLE: dict[str, Any] = {
    "source": "table", "output": Path("out"), "input": Path("/somewhere/log.csv"), "user": "u", "game": "g",
}  # fmt: skip
SYNTHETIC: dict[str, Any] = {"source": "synthetic", "output": Path("out")}


def test_default_split_follows_the_timestamp() -> None:
    assert Options(**TABLE).split_name == "holdout"
    assert Options(**TABLE, timestamp="t").split_name == "leave-last-out"
    assert Options(**TABLE, timestamp="t", split="holdout").split_name == "holdout"


def test_split_column() -> None:
    assert Options(**TABLE, split="column:part").split_column == "part"
    assert Options(**TABLE).split_column is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (SYNTHETIC | {"source": "stem200k"}, "--source stem200k(.|\n)*steam200k, table, synthetic"),
        (
            SYNTHETIC | {"split": "random"},
            "--split random(.|\n)*holdout, leave-last-out, time-cut, users or column:NAME",
        ),
        (TABLE | {"split": "column:"}, "--split column:"),
        (TABLE | {"split": "time-cut"}, "--split time-cut without --timestamp(.|\n)*--timestamp COL"),
        (TABLE | {"split": "leave-last-out"}, "without --timestamp"),
        (TABLE | {"user": None, "game": None}, "without --user and --game(.|\n)*--user user_id"),
        (TABLE | {"input": None}, "--source table without --input"),
        (SYNTHETIC | {"input": Path("x")}, "--input with --source synthetic"),
        (SYNTHETIC | {"user": "u"}, "--user with --source synthetic"),
        (SYNTHETIC | {"split": "column:part"}, "--split column:part with --source synthetic"),
        (SYNTHETIC | {"min_games": 2}, "--min-games 2(.|\n)*from 3"),
        (SYNTHETIC | {"grade_bins": 101}, "--grade-bins 101(.|\n)*1 to 100"),
        (SYNTHETIC | {"grade_bins": 0}, "--grade-bins 0"),
        (SYNTHETIC | {"pairs_per_user": -1}, "--pairs-per-user -1"),
        (SYNTHETIC | {"seed": -1}, "--seed -1"),
        (SYNTHETIC | {"users": 0}, "--users 0"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Options(**options)


def test_the_manifest_records_no_path_of_this_machine() -> None:
    recorded = Options(**TABLE).recorded()
    assert recorded["input"] == "log.csv"
    assert not any(isinstance(value, Path) or "/" in str(value) for value in recorded.values())


def test_only_a_world_records_its_size() -> None:
    assert "users" not in Options(**TABLE).recorded()
    assert Options(**SYNTHETIC, users=77).recorded()["users"] == 77


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options(**SYNTHETIC).seed = 2  # type: ignore[misc]
