import json

import pytest

from memcom_rank.compare.cells import plan
from memcom_rank.compare.shelf import FAILED, FINISHED, INFEASIBLE, NOT_RUN, Shelf
from memcom_rank.contract.errors import CheckpointError, ConfigError
from tests.compare.cells import comparison, finish, write_fit


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


@pytest.fixture
def cells(tmp_path):
    return plan(comparison(tmp_path))


def checkpoint(shelf, cell, run="20260101-000000-fit"):
    path = shelf.unfinished(cell) / "runs" / run / "checkpoints/last.ckpt"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_a_finished_cell_has_its_name(shelf, cells):
    assert shelf.read(cells[1]).status == NOT_RUN
    finish(shelf, cells[1])
    result = shelf.read(cells[1])
    assert (result.status, result.seconds, result.reason) == (FINISHED, 60, "")
    assert result.run == shelf.folder / "ranknet-memcom-4x-seed-1/runs/20260101-000000-fit"
    assert result.summary["embedding.bytes"] == 16_000
    assert not shelf.unfinished(cells[1]).exists()
    assert shelf.read(cells[2]).status == NOT_RUN


def test_an_infeasible_cell_is_done_and_a_failed_one_is_not(shelf, cells):
    for cell, status in zip(cells, (INFEASIBLE, FAILED), strict=False):
        shelf.start(cell)
        shelf.close(cell, status, reason="because", seconds=2)
        assert shelf.read(cell)[1:] == (status, "because", 2, None, {})
    assert [(shelf.folder / cell.name).exists() for cell in cells[:2]] == [True, False]
    assert shelf.start(cells[1]) is None
    assert shelf.read(cells[1]).status == NOT_RUN


def test_a_killed_cell_goes_on_from_its_newest_checkpoint_and_adds_its_time(shelf, cells):
    assert shelf.start(cells[0]) is None
    checkpoint(shelf, cells[0])
    shelf.stopped(cells[0], 30)
    assert shelf.start(cells[0]).parts[-3:] == ("20260101-000000-fit", "checkpoints", "last.ckpt")
    newest = checkpoint(shelf, cells[0], "20260102-000000-fit")
    shelf.stopped(cells[0], 12)
    assert shelf.start(cells[0]) == newest
    write_fit(shelf.unfinished(cells[0]), cells[0])
    shelf.close(cells[0], FINISHED, seconds=8)
    assert shelf.read(cells[0]).seconds == 50
    assert [run.name for run in (shelf.folder / cells[0].name / "runs").iterdir()] == ["20260101-000000-fit"]


def test_what_was_begun_with_other_settings_begins_anew(shelf, cells, tmp_path):
    shelf.start(cells[0])
    left = checkpoint(shelf, cells[0])
    shelf.close(cells[0], FAILED, reason="because", seconds=1)
    changed = plan(comparison(tmp_path, flags=["--trainer.max_epochs", "2"]))[0]
    assert shelf.read(changed).status == NOT_RUN
    assert shelf.start(changed) is None
    assert not left.exists()


def test_a_cell_that_ended_unseen_is_adopted(shelf, cells, tmp_path):
    assert not shelf.adopt(cells[0])
    shelf.start(cells[0])
    assert not shelf.adopt(cells[0])
    write_fit(shelf.unfinished(cells[0]), cells[0])
    assert not shelf.adopt(plan(comparison(tmp_path, digest="sha256:other"))[0])
    assert shelf.adopt(cells[0])
    assert shelf.read(cells[0])[1:4] == (FINISHED, "", 7.5)


def test_a_run_on_another_dataset_is_neither_adopted_nor_shown(shelf, cells):
    other = {"dataset.digest": "sha256:other"}
    shelf.start(cells[0])
    write_fit(shelf.unfinished(cells[0]), cells[0], **other)
    assert not shelf.adopt(cells[0])
    assert shelf.start(cells[0]) is None
    finish(shelf, cells[1], **other)
    with pytest.raises(ConfigError, match=r'dataset: "sha256:other" there'):
        shelf.check(cells)


def test_baselines_are_measured_once(shelf, cells):
    shelf.start(cells[0])
    cache = shelf.unfinished(cells[0]) / "runs/.baselines"
    cache.mkdir(parents=True)
    (cache / "ease.json").write_text("{}")
    write_fit(shelf.unfinished(cells[0]), cells[0])
    shelf.close(cells[0], FINISHED, seconds=1)
    shelf.start(cells[1])
    assert (shelf.unfinished(cells[1]) / "runs/.baselines/ease.json").read_text() == "{}"


def test_other_settings_are_named(shelf, cells, tmp_path):
    finish(shelf, cells[0])
    shelf.check(cells)
    shelf.check(plan(comparison(tmp_path, seeds=[1, 5], ratios=[64], metric="mrr", digest=None)))
    own = tmp_path / "ranknet.yaml"
    own.write_text(comparison(tmp_path).heads["ranknet"].read_text().replace("dim: 256", "dim: 128"))
    changed = comparison(tmp_path, flags=["--trainer.max_epochs", "2"], digest="sha256:other")
    changed.heads["ranknet"] = own
    with pytest.raises(ConfigError) as caught:
        shelf.check(plan(changed))
    seen = caught.value.seen.splitlines()
    assert seen[0].endswith("ranknet-full-seed-1' was made with other settings:")
    assert seen[1:] == [
        "  head.model.init_args.dim: 256 there, 128 now",
        '  flags: [] there, ["--trainer.max_epochs", "2"] now',
        '  dataset: "sha256:0123456789abcdef0123" there, "sha256:other" now',
    ]
    assert "give another --output" in caught.value.fix


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"status": "finished"})])
def test_a_damaged_cell(shelf, cells, text):
    finish(shelf, cells[0])
    (shelf.folder / cells[0].name / "cell.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"cell\.json' cannot be read"):
        shelf.read(cells[0])
