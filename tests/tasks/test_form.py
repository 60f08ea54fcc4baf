import functools

import pytest
import torch

from memcom_rank.contract.errors import CheckpointError
from memcom_rank.models import LogSumExpMatch
from memcom_rank.tasks import RankNet
from memcom_rank.tasks.form import check_form
from tests.tasks.small import SMALL_MEMCOM, data, fitted, task, trainer

SETTINGS = {
    "embedding": {"class_path": "memcom_rank.embeddings.LowBit", "init_args": {"bits": 2, "target_ratio": 16.0}},
    "match": {"class_path": "memcom_rank.models.PoolMatch", "init_args": {"power": 0.5, "dropout": 0.1}},
    "learning_rate": 0.1,
}
STATE = {"table": torch.zeros(3, 2)}


def other(part, **init_args):
    return {**SETTINGS, part: {**SETTINGS[part], "init_args": {**SETTINGS[part]["init_args"], **init_args}}}


@pytest.mark.parametrize(
    "here",
    [
        SETTINGS,
        {},
        {"embedding": functools.partial(int), "match": object()},  # made in Python: no settings
        other("match", dropout=0.5),
        other("embedding", merge_at=0.3, num_factors=3, target_ratio=16),
        {**SETTINGS, "learning_rate": 0.2},
        {**SETTINGS, "embedding": {"class_path": "memcom_rank.embeddings.LowBit"}},  # knobs of an older version
    ],
)
def test_what_says_nothing_of_the_weights_may_differ(here):
    check_form(SETTINGS, here, STATE, STATE)
    check_form(here, SETTINGS, STATE, STATE)


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (other("embedding", bits=4), r"model\.embedding\.init_args\.bits: 2, and this one has 4"),
        (other("embedding", target_ratio=8), r"target_ratio: 16\.0, and this one has 8"),
        (other("match", power=1.0), r"model\.match\.init_args\.power: 0\.5, and this one has 1\.0"),
        (
            {**SETTINGS, "embedding": {"class_path": "Full"}},
            r"class_path: memcom_rank\.embeddings\.LowBit, and .* Full",
        ),
    ],
)
def test_a_setting_that_says_what_weights_mean_may_not(here, words):
    with pytest.raises(CheckpointError, match=words):
        check_form(SETTINGS, here, STATE, STATE)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"table": torch.zeros(2, 3)}, r"table of shape \[3, 2\], and this one has shape \[2, 3\]"),
        ({}, r"table of shape \[3, 2\], and this one has none"),
        ({**STATE, "bias": torch.zeros(3)}, r"bias of none, and this one has shape \[3\]"),
    ],
)
def test_tensors_of_other_shapes_are_named(state, words):
    with pytest.raises(CheckpointError, match=words):
        check_form({}, {}, STATE, state)


@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_checkpoint_of_another_model_is_refused(folder, tmp_path, command):
    fitted(folder).save_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"ranker\.game_bias of shape \[18\], and this one has none"):
        getattr(trainer(), command)(
            task(game_bias=False), data(folder), ckpt_path=tmp_path / "a.ckpt", weights_only=True
        )


@pytest.mark.filterwarnings("ignore:Found keys that are not in the model state dict")
def test_a_part_of_a_checkpoint_can_be_taken_over(folder, tmp_path):
    made = fitted(folder)
    made.save_checkpoint(tmp_path / "a.ckpt")
    parts = {"embedding": SMALL_MEMCOM, "match": LogSumExpMatch(match_dim=4), "game_bias": False}
    loaded = RankNet.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, strict=False, **parts)
    assert torch.equal(loaded.ranker.embedding.dense(), made.lightning_module.ranker.embedding.dense())
    with pytest.raises(CheckpointError, match="rows_MW of shape"):
        RankNet.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, strict=False, dim=6, **parts)
