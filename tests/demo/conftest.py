import pytest

from memcom_rank.demo import site
from tests.demo.bundles import make_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("demo") / "bundle")


@pytest.fixture
def without_npm(tmp_path, monkeypatch):
    """A stand-in for what npm installs."""
    folder = tmp_path / "npm-assets"
    folder.mkdir()
    (folder / "ort.mjs").write_text("export {};")
    monkeypatch.setattr(site, "npm_assets", lambda: folder)
