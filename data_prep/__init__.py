"""The ETL (floor 0 and nothing else of memcom_rank): raw play logs -> a Parquet dataset.

On the command line `python -m data_prep`; from Python `data_prep.build`. Importing this package loads neither polars
nor pyarrow.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.options import Options

if TYPE_CHECKING:
    from memcom_rank.contract.manifest import Manifest

__all__ = ["Options", "build"]


def build(source: str, output: str | Path, **options: Any) -> "Manifest":
    """Build a dataset folder and return its manifest; progress goes to stderr, a line a step.

    Args:
        source: "steam200k", "table" or "synthetic".
        output: the folder to make.
        **options: the other fields of `Options` (input, user, game, split, seed, overwrite, ...).

    Raises:
        MemcomRankError: a wrong option, an unreadable input, an impossible split, an unwritable output.

    Example:
        >>> data_prep.build("synthetic", "data/synthetic", seed=1)  # doctest: +SKIP
    """
    from data_prep.pipeline import run  # polars and pyarrow are loaded only when something is built

    if options.get("input") is not None:
        options["input"] = Path(options["input"])
    return run(Options(source=source, output=Path(output), **options))
