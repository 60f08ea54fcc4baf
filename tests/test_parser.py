"""Messages on their own; tests/test_bad_input.py makes the mistakes on a real command line."""

from typing import Optional, Union

import pytest
from lightning_fabric.utilities.exceptions import MisconfigurationException

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.parser import RankParser, named_error, whole_numbers_first


@pytest.fixture
def parser():
    made = RankParser(description="line one\n  line two")
    made.add_argument("--data.batch_size", type=int)
    made.add_argument("--trainer.max_epochs", type=int)
    return made


@pytest.mark.parametrize(
    ("message", "near"),
    [
        ("unrecognized arguments: --data.batch_sise 3", "data.batch_size"),
        ("Key 'max_epoch' is not expected", "trainer.max_epochs"),
        ("Option 'data.batchsize' is not accepted", "data.batch_size"),
        ("class_path 'memcom_rank.embeddings.MEmCom' does not accept option 'targetratio'", "target_ratio"),
        ("module 'memcom_rank.losses' has no attribute 'lambda_rank_loss'", "lambdarank_loss"),
        ("module 'memcom_rank.models' has no attribute 'PoolMach'", "PoolMatch"),
    ],
)
def test_the_nearest_name(parser, message, near):
    with pytest.raises(ConfigError) as error:
        parser.error(message)
    assert error.value.wanted == f"did you mean '{near}'?"


def test_other_messages_are_passed_on(parser):
    with pytest.raises(ConfigError, match="something else"):
        parser.error("something else")


def test_a_named_error_inside_is_the_one_that_is_raised(parser):
    inner = BudgetError("a", wanted="b", fix="c")
    outer = ValueError("wrapped")
    outer.__cause__ = inner
    with pytest.raises(BudgetError) as error:
        parser.error("wrapped", outer)
    assert error.value is inner


def test_named_errors():
    named = ConfigError("a", wanted="b", fix="c")
    assert named_error(named) is named
    assert named_error(ValueError()) is None
    assert named_error(None) is None
    found = named_error(MisconfigurationException("no GPU"))
    assert isinstance(found, ConfigError)
    assert found.seen == "no GPU"


def test_the_help_keeps_its_lines(parser):
    assert "line one\n  line two\n" in parser.format_help()


@pytest.mark.parametrize(("typed", "read"), [("1", 1), ("1.0", 1.0), ("0.5", 0.5), ("null", None)])
def test_a_count_stays_a_count_whichever_way_round_typing_hands_the_types_back(typed, read):
    def train(batches: Optional[Union[float, int]] = None) -> None:  # noqa: UP007, UP045 - as a library writes it
        pass

    whole_numbers_first(train)
    parser = RankParser()
    parser.add_function_arguments(train)
    found = parser.parse_args(["--batches", typed]).batches
    assert (type(found), found) == (type(read), read)
