"""Command line (floor 5): silences what our libraries say about themselves and a user cannot act on."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

_LIGHTNING = "pytorch_lightning.utilities.rank_zero"
_MESSAGES = (
    r".*isinstance\(treespec, LeafSpec\)",  # Lightning's use of what torch 2.13 deprecates
    r".*does not have many workers",  # batches are made in one vectorised step; workers were measured slower
    r".*is smaller than the logging interval",  # the loss of every epoch is logged, however short
    r".*callbacks used to create the checkpoint need",  # another recipe's; only fit has a use for any, and looks itself
    r"(?s).*Due to class_path change",  # what an overlay is for; every overlay names every knob
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop Lightning's advertisements and warnings that do not hold here, inside the block."""
    log = logging.getLogger(_LIGHTNING)
    log.addFilter(_no_tips)
    with warnings.catch_warnings():
        for message in _MESSAGES:
            warnings.filterwarnings("ignore", message)
        # Lightning calls what jsonargparse deprecates; Python itself hides this, unless all warnings are asked for
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(pytorch_lightning|jsonargparse)\b")
        try:
            yield
        finally:
            log.removeFilter(_no_tips)


def _no_tips(record: logging.LogRecord) -> bool:
    return "Tip: For seamless cloud" not in record.getMessage()
