"""Command line (floor 5): silences what our libraries say about themselves and a user cannot act on."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

_LIGHTNING = "pytorch_lightning.utilities.rank_zero"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop Lightning's advertisements and its use of what torch 2.13 deprecates, inside the block."""
    log = logging.getLogger(_LIGHTNING)
    log.addFilter(_no_tips)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
        try:
            yield
        finally:
            log.removeFilter(_no_tips)


def _no_tips(record: logging.LogRecord) -> bool:
    return "Tip: For seamless cloud" not in record.getMessage()
