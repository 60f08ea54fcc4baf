import logging
import re
import warnings

import pytest

from memcom_rank.quiet import quiet

NOISE = [
    "`isinstance(treespec, LeafSpec)` is deprecated",
    "The 'train_dataloader' does not have many workers which may be a bottleneck.",
    "The number of training batches (1) is smaller than the logging interval Trainer(log_every_n_steps=5).",
    "when using `ckpt_path`, callbacks used to create the checkpoint need to be provided",
    "\n    Due to class_path change from a to b, discarding init_args",
]


@pytest.mark.parametrize("message", NOISE)
def test_noise_is_dropped_inside_and_only_there(message):
    with quiet():
        warnings.warn(message, UserWarning, stacklevel=1)
    with pytest.warns(UserWarning, match=re.escape(message)):
        warnings.warn(message, UserWarning, stacklevel=1)


@pytest.mark.parametrize("kind", [UserWarning, RuntimeWarning, DeprecationWarning])
def test_everything_else_is_heard(kind):
    with quiet(), pytest.warns(kind, match="look here"):
        warnings.warn("look here", kind, stacklevel=1)


def test_advertisements_are_dropped(caplog):
    log = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    with caplog.at_level(logging.INFO, logger=log.name), quiet():
        log.info("Tip: For seamless cloud logging, try ...")
        log.info("GPU available")
    assert [record.message for record in caplog.records] == ["GPU available"]
    assert not log.filters
