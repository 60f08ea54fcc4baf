import sys
from pathlib import Path

import pytest

from memcom_rank.compare import schedule
from memcom_rank.compare.cells import plan
from memcom_rank.compare.schedule import Program, run_cells
from memcom_rank.compare.shelf import FAILED, FINISHED, INFEASIBLE, NOT_RUN, Shelf
from memcom_rank.contract.errors import WriteError
from memcom_rank.contract.manifest import read_manifest
from tests.compare.cells import DIGEST, comparison, write_fit


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(schedule, "POLL_SECONDS", 0)


class Trainer:
    """Stands for train.py: a cell takes `polls` looks; `fates` says what becomes of some.

    A fate is what is printed before it fails, "kill" (the whole comparison is), "asked to end"
    (by SIGTERM), or "other data" (it finds another dataset).
    """

    def __init__(self, cells, polls=3, fates=None):
        self.cells, self.polls, self.fates = {cell.title: cell for cell in cells}, polls, fates or {}
        self.started, self.at_once, self.slots = [], 0, []
        self.asked, self.stopped, self.killed = [], [], []
        self.running = set()

    def __call__(self, words, folder, title, slot):
        self.started.append((title, "--ckpt_path" in words))
        assert slot not in self.slots
        self.slots.append(slot)
        self.running.add(title)
        self.at_once = max(self.at_once, len(self.running))
        with (folder / "log.txt").open("a") as log:
            log.write(f"--- {title}\n")
        dataset = Path(words[words.index("--data.path") + 1])
        found = read_manifest(dataset).digest if dataset.exists() else DIGEST
        return Fake(self, folder, title, slot, found)


class Fake:
    def __init__(self, trainer, folder, title, slot, digest):
        self.trainer, self.folder, self.title, self.slot, self.digest = trainer, folder, title, slot, digest
        self.left, self.code = trainer.polls, None

    def poll(self):
        if self.code is None:
            self.left -= 1
            if self.left == 0:
                self.code = self.end()
                self.trainer.running.discard(self.title)
                self.trainer.slots.remove(self.slot)
        return self.code

    def end(self):
        fate = self.trainer.fates.pop(self.title, None)
        if fate == "kill":
            checkpoint = self.folder / "runs/20260101-000000-fit/checkpoints/last.ckpt"
            checkpoint.parent.mkdir(parents=True)
            checkpoint.touch()
            self.trainer.slots.append(self.slot)
            raise KeyboardInterrupt
        if fate == "asked to end":
            return 143
        if fate == "other data":
            write_fit(self.folder, self.trainer.cells[self.title], **{"dataset.digest": "sha256:other"})
            return 0
        if fate is not None:
            with (self.folder / "log.txt").open("a") as log:
                log.write(fate)
            return -9 if fate == "" else 1
        write_fit(self.folder, self.trainer.cells[self.title], **{"dataset.digest": self.digest})
        return 0

    def ask(self):
        self.trainer.asked.append(self.title)

    def stop(self):
        self.trainer.stopped.append(self.title)

    def kill(self):
        self.trainer.killed.append(self.title)


class Watch:
    def __init__(self):
        self.ends, self.ticks = [], 0

    def ended(self, cell):
        self.ends.append(cell.title)

    def tick(self, jobs, waiting):
        self.ticks += 1


def statuses(shelf, cells):
    return [shelf.read(cell).status for cell in cells]


@pytest.mark.parametrize("slots", [1, 3])
def test_all_cells_are_run_so_many_at_once(tmp_path, slots):
    cells, shelf = plan(comparison(tmp_path)), Shelf(tmp_path)
    trainer, watch = Trainer(cells), Watch()
    run_cells(cells, shelf, trainer, slots, watch)
    assert statuses(shelf, cells) == [FINISHED] * 10
    assert trainer.at_once == slots
    assert [title for title, _ in trainer.started] == [cell.title for cell in cells]
    assert watch.ends == [cell.title for cell in cells]
    assert watch.ticks > 2


def test_whatever_comes_of_a_cell_the_others_are_run(tmp_path):
    cells, shelf = plan(comparison(tmp_path)), Shelf(tmp_path)
    named = "BudgetError: MEmCom cannot fit in 9 bytes\n  wanted: at least 90 bytes\n  to do:  ask for less\n"
    fates = {
        cells[1].title: f"epoch 1\n{named}",
        cells[2].title: "Traceback\n  raise\ntorch.OutOfMemoryError: CUDA out of memory\n",
        cells[3].title: "",
        cells[4].title: "nothing to be read\n",
        cells[5].title: "asked to end",
    }
    run_cells(cells, shelf, Trainer(cells, fates=fates), 2, Watch())
    assert statuses(shelf, cells) == [FINISHED, INFEASIBLE, FAILED, FAILED, FAILED, FAILED, *[FINISHED] * 4]
    assert [shelf.read(cell).reason for cell in cells[1:6]] == [
        "MEmCom cannot fit in 9 bytes (wanted: at least 90 bytes; to do: ask for less)",
        "OutOfMemoryError: CUDA out of memory",
        "killed by signal 9",
        "exit code 1, see its log.txt",
        "stopped before its end; the same command goes on with it",
    ]


def test_a_killed_comparison_goes_on_where_it_was(tmp_path):
    """At most what was running is lost, and that goes on from its checkpoint."""
    cells, shelf = plan(comparison(tmp_path)), Shelf(tmp_path)
    trainer = Trainer(cells, fates={cells[4].title: "kill"})
    with pytest.raises(KeyboardInterrupt):
        run_cells(cells, shelf, trainer, 2, Watch())
    assert sorted(trainer.stopped) == sorted(cell.title for cell in cells[4:6])
    assert statuses(shelf, cells) == [FINISHED] * 4 + [NOT_RUN] * 6
    again = Trainer(cells)
    run_cells(cells[4:], shelf, again, 2, Watch())
    assert statuses(shelf, cells) == [FINISHED] * 10
    assert again.started[:2] == [(cells[4].title, True), (cells[5].title, False)]


def test_a_checkpoint_of_no_use_lets_the_cell_begin_anew(tmp_path):
    cells, shelf = plan(comparison(tmp_path))[:1], Shelf(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_cells(cells, shelf, Trainer(cells, fates={cells[0].title: "kill"}), 1, Watch())
    damaged = (
        "CheckpointError: 'last.ckpt' is not a checkpoint, or a damaged one\n  wanted: a .ckpt file written by fit\n"
    )
    again, watch = Trainer(cells, fates={cells[0].title: damaged}), Watch()
    run_cells(cells, shelf, again, 1, watch)
    assert again.started == [(cells[0].title, True), (cells[0].title, False)]
    assert watch.ends == [cells[0].title]
    assert statuses(shelf, cells) == [FINISHED]


def test_a_run_on_a_dataset_that_was_put_in_the_place_of_the_one_compared_on_is_no_result(tmp_path):
    cells, shelf = plan(comparison(tmp_path))[:2], Shelf(tmp_path)
    run_cells(cells, shelf, Trainer(cells, fates={cells[0].title: "other data"}), 1, Watch())
    assert statuses(shelf, cells) == [FAILED, FINISHED]
    assert shelf.read(cells[0]).reason == "the dataset was replaced while the comparison ran"
    run_cells(cells[:1], shelf, Trainer(cells), 1, Watch())
    assert statuses(shelf, cells) == [FINISHED, FINISHED]


def test_an_earlier_start_s_error_is_not_this_one_s(tmp_path):
    cells, shelf = plan(comparison(tmp_path))[:1], Shelf(tmp_path)
    shelf.start(cells[0])
    checkpoint = shelf.unfinished(cells[0]) / "runs/20260101-000000-fit/checkpoints/last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    (shelf.unfinished(cells[0]) / "log.txt").write_text("--- first\nBudgetError: too small\n")
    run_cells(cells, shelf, Trainer(cells, fates={cells[0].title: ""}), 1, Watch())
    assert shelf.read(cells[0])[1:3] == (FAILED, "killed by signal 9")


def test_a_cell_that_ended_unseen_is_not_run_again(tmp_path):
    cells, shelf = plan(comparison(tmp_path))[:2], Shelf(tmp_path)
    shelf.start(cells[0])
    write_fit(shelf.unfinished(cells[0]), cells[0])
    trainer, watch = Trainer(cells), Watch()
    run_cells(cells, shelf, trainer, 1, watch)
    assert trainer.started == [(cells[1].title, False)]
    assert watch.ends == [cell.title for cell in cells]


def test_none_is_left_running_whatever_happens_while_they_stop(tmp_path, monkeypatch):
    cells, shelf = plan(comparison(tmp_path)), Shelf(tmp_path)
    trainer = Trainer(cells, fates={cells[0].title: "kill"})

    def full(cell, seconds):
        raise WriteError("no space", wanted="space", fix="make some")

    monkeypatch.setattr(shelf, "stopped", full)
    with pytest.raises(WriteError):
        run_cells(cells, shelf, trainer, 3, Watch())
    running = [cell.title for cell in cells[:3]]
    assert trainer.asked == trainer.killed == running
    assert trainer.stopped == running[:1]


def test_a_program_prints_into_its_log_and_ends_when_asked(tmp_path):
    waits = "import sys\nprint('here', flush=True)\nsys.stdin.read()\nimport time\ntime.sleep(600)"
    program = Program([sys.executable, "-c", waits], tmp_path, {})
    assert program.poll() is None
    for _ in range(2):
        program.ask()
        program.stop()
        assert program.poll() < 0
    ends = Program([sys.executable, "-c", "import os; print(os.environ['MINE'])"], tmp_path, {"MINE": "yes"})
    ends._process.wait(60)
    assert ends.poll() == 0
    assert (tmp_path / "log.txt").read_text().endswith("['MINE'])\nyes\n")


def test_a_program_that_does_not_end_when_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "PATIENCE_SECONDS", 0.01)
    deaf = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(600)"
    )
    program = Program([sys.executable, "-c", deaf], tmp_path, {})
    while "\ndeaf" not in (tmp_path / "log.txt").read_text():
        assert program.poll() is None
    program.ask()
    program.stop()
    assert program.poll() == -9
