"""Fixtures of the runtime: one sound bundle, and the ranker of it."""

import pytest

from memcom_rank.runtime import Ranker
from tests.runtime.bundles import files, write


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A sound bundle that tests read and never change."""
    return write(tmp_path_factory.mktemp("runtime") / "bundle", files())


@pytest.fixture(scope="session")
def ranker(bundle):
    return Ranker.load(bundle)
