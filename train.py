"""Train, test and use rankers: `python train.py fit --config ranknet.yaml`.

The one file that knows both houses: where the default dataset is missing, the ETL builds it, once, before any rank
reads it.
"""

import sys
import time
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from memcom_rank.cli import main
from memcom_rank.contract.errors import DatasetError
from memcom_rank.contract.manifest import MANIFEST_FILE

CONFIGS = Path(__file__).parent / "configs"
DEFAULT_DATASET = Path("data/synthetic")
PATIENCE_SECONDS = 600  # building takes some seconds


def build_default(path: Path) -> None:
    """Build the embedded synthetic world where it is the dataset asked for and is not there yet.

    Rank 0 builds; the others wait for the manifest, which appears with the whole folder at once.

    Raises:
        DatasetError: rank 0 did not build it.
    """
    if path != DEFAULT_DATASET or (path / MANIFEST_FILE).exists():
        return
    _build(path)
    for _ in range(PATIENCE_SECONDS):
        if (path / MANIFEST_FILE).exists():
            return
        time.sleep(1)
    raise DatasetError(
        f"no dataset appeared at '{path}'",
        wanted="the process of rank 0 to build it on a disk that all share",
        fix=f"build it once, beforehand: python -m data_prep build --source synthetic --output {path}",
    )


@rank_zero_only
def _build(path: Path) -> None:
    import data_prep  # not needed, nor Polars, to train on a dataset that is there

    print(f"building the default dataset, a synthetic world of games, at {path}", flush=True)
    data_prep.build(source="synthetic", output=path, seed=1)


if __name__ == "__main__":
    sys.exit(main(CONFIGS, build_default))
