from pathlib import Path

import pytest

from tests.data.tiny import two_clusters

QUIET = [
    "ignore:.*does not have many workers",
    "ignore:.*isinstance\\(treespec, LeafSpec\\)",
    "ignore:.*callbacks used to create the checkpoint need to be provided",
    "ignore:.*`self.trainer` reference is not registered",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for known in QUIET:
                item.add_marker(pytest.mark.filterwarnings(known))


@pytest.fixture
def folder(tmp_path):
    return str(two_clusters(tmp_path / "clusters"))
