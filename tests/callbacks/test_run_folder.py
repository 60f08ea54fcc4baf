import datetime
import re

from memcom_rank.callbacks import run_folder
from memcom_rank.callbacks.run_folder import discard_run, new_run_folder


def test_a_new_folder_every_time(tmp_path, monkeypatch):
    class Noon(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 31, 12, 0, 5, tzinfo=tz)

    monkeypatch.setattr(run_folder.datetime, "datetime", Noon)
    made = [new_run_folder(tmp_path / "runs", "fit") for _ in range(3)]
    assert [folder.name for folder in made] == [f"20260131-120005-fit{number}" for number in ("", "-2", "-3")]
    assert all(folder.is_dir() for folder in made)


def test_the_name_says_when_and_what(tmp_path):
    assert re.fullmatch(r"\d{8}-\d{6}-predict", new_run_folder(tmp_path, "predict").name)


def test_only_what_was_written_at_the_start_is_discarded(tmp_path):
    for name, kept in (("config.yaml", False), ("metrics.csv", True), ("predictions.parquet", True)):
        folder = new_run_folder(tmp_path, "fit")
        (folder / "wandb/files").mkdir(parents=True)
        (folder / name).touch()
        discard_run(folder)
        assert folder.exists() is kept
    empty = new_run_folder(tmp_path, "fit")
    discard_run(empty)
    assert not empty.exists()
    assert tmp_path.exists()
