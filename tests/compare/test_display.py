import io
import os

import pytest

from memcom_rank.compare import display as module
from memcom_rank.compare.cells import plan
from memcom_rank.compare.display import Display, summary_words
from memcom_rank.compare.schedule import Job
from memcom_rank.compare.shelf import FAILED, INFEASIBLE, Shelf
from tests.compare.cells import comparison, finish, scores


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def cells(tmp_path):
    return plan(comparison(tmp_path))


def shown(tmp_path, cells, stream=None, slots=1):
    made = []
    stream = io.StringIO() if stream is None else stream
    return Display(cells, Shelf(tmp_path).read, "ndcg@10", slots, stream, made.append), stream, made


def test_a_log_has_one_line_for_every_cell_that_ended(tmp_path, cells):
    shelf = Shelf(tmp_path)
    display, stream, made = shown(tmp_path, cells)
    finish(shelf, cells[0])
    display.ended(cells[0])
    shelf.start(cells[1])
    shelf.close(cells[1], INFEASIBLE, reason="too small", seconds=2)
    display.ended(cells[1])
    display.tick([], cells[2:])
    display.close()
    first, second = stream.getvalue().splitlines()
    value = f"{scores(cells[0]).mean():.4f}"
    assert " ".join(first.split()) == f"[ 1/10] ranknet full seed 1 ndcg@10 {value} 3 epochs 60 s about 9 min left"
    assert second.startswith("[ 2/10] ranknet memcom 4x seed 1")
    assert second.endswith("  infeasible: too small  about 8 min left")
    assert [len(results) for results in made] == [10, 10]


def test_a_terminal_has_a_last_line_that_is_kept_up_to_date(tmp_path, cells, monkeypatch):
    shelf = Shelf(tmp_path)
    display, stream, _ = shown(tmp_path, cells, Terminal(), slots=2)
    monkeypatch.setattr(module.shutil, "get_terminal_size", lambda: os.terminal_size((300, 20)))
    for cell in cells[:2]:
        finish(shelf, cell)
        display.ended(cell)
    log = tmp_path / "log.txt"
    log.write_text("epoch   1/40  loss\nepoch  12/40  loss\n")
    monkeypatch.setattr(module.time, "monotonic", lambda: 130.0)
    display.tick(
        [Job(cells[2], None, 0, 100.0, False, log), Job(cells[3], None, 1, 20.0, False, log / "none")], cells[4:]
    )
    last = stream.getvalue().rpartition("\r\x1b[K")[2]
    # six of 60 s wait, one has 30 s to go and one should have ended; two at once
    assert last.split(" | ") == [
        "[####................] 2 done, 2 running, 6 left",
        "about 3 min left",
        f"best memcom 4x {scores(cells[1]).mean():.4f}",
        "ranknet memcom 16x seed 1, epoch 12/40",
        "ranknet naive_hash 4x seed 1",
    ]
    monkeypatch.setattr(module.shutil, "get_terminal_size", lambda: os.terminal_size((40, 20)))
    display.tick([Job(cells[2], None, 0, 100.0, False, log)], cells[4:])
    assert len(stream.getvalue().rpartition("\r\x1b[K")[2]) == 39
    display.close()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_the_best_of_each_ratio(tmp_path, cells):
    for cell in cells[:5]:
        finish(Shelf(tmp_path), cell)
    display, _, _ = shown(tmp_path, cells)
    best = {ratio: max(scores(cell).mean() for cell in cells[1:5] if cell.target_ratio == ratio) for ratio in (4, 16)}
    assert [f"{value:.4f}" for value in best.values()] == [
        word.split()[-1] for word in display.best_words().split(", ")
    ]


def test_nothing_is_said_of_what_is_not_known(tmp_path, cells):
    display, stream, _ = shown(tmp_path, cells)
    assert (display.left_words(), display.best_words(), stream.getvalue()) == ("", "", "")


def test_the_count_of_cells(tmp_path, cells):
    shelf = Shelf(tmp_path)
    assert summary_words([shelf.read(cell) for cell in cells]) == "0 of 10 cells finished, 10 not run"
    finish(shelf, cells[0])
    shelf.start(cells[1])
    shelf.close(cells[1], FAILED, reason="", seconds=0)
    assert summary_words([shelf.read(cell) for cell in cells]) == "1 of 10 cells finished, 1 failed, 8 not run"
