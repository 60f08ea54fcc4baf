"""Fixtures of the whole suite: a tiny dataset, and one finished run over it that tests read and never change."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import data_prep
from tests.command import fit
from tests.label_log import write_label_log

# the same examples on every run, and no clock: a slow or a picky moment of a busy machine is no failure
settings.register_profile(
    "project",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("project")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A synthetic dataset of 600 users and 120 games."""
    folder = tmp_path_factory.mktemp("data") / "tiny"
    data_prep.build(source="synthetic", output=folder, users=600, games=120, seed=1)
    return folder


@pytest.fixture(scope="session")
def fitted(tiny, tmp_path_factory):
    """A run of 2 epochs, logged to W&B offline."""
    return fit(tmp_path_factory.mktemp("fitted"), tiny, WANDB_MODE="offline")


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """A labelled dataset of 600 users and 60 games; the label follows the user's games but for a tenth of the users."""
    folder = tmp_path_factory.mktemp("data")
    columns = {"user": "user", "game": "game", "label": "churn"}
    data_prep.build(source="table", input=write_label_log(folder / "log.csv"), output=folder / "labelled", **columns)
    return folder / "labelled"


@pytest.fixture(scope="session")
def timed(tmp_path_factory):
    """A dataset of 300 users and 60 games in order of time, the last game held out."""
    folder = tmp_path_factory.mktemp("data")
    draw = random.Random(3)
    lines = [f"{u},{g},{draw.randrange(10**9)}" for u in range(300) for g in draw.sample(range(u % 2, 60, 2), 6)]
    (folder / "log.csv").write_text("\n".join(["user,game,moment", *lines]))
    columns = {"user": "user", "game": "game", "timestamp": "moment", "split": "leave-last-out"}
    data_prep.build(source="table", input=folder / "log.csv", output=folder / "timed", **columns)
    return folder / "timed"


@pytest.fixture
def empty(tmp_path):
    """A folder to work in."""
    assert not list(Path(tmp_path).iterdir())
    return tmp_path
