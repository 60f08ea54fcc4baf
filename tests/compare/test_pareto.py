import importlib.util
import struct

import pytest

from memcom_rank.compare import pareto
from memcom_rank.compare.cells import plan
from memcom_rank.compare.pareto import byte_words, check_plots, write_plots
from memcom_rank.compare.results import grouped
from memcom_rank.compare.shelf import Shelf
from memcom_rank.contract.errors import ConfigError
from tests.compare.cells import comparison, finish, scores


def drawn(tmp_path, keep=lambda cell: True, **changes):
    """Finish some cells and draw; return the texts of the SVG."""
    asked, shelf = comparison(tmp_path, **changes), Shelf(tmp_path)
    cells = plan(asked)
    for cell in filter(keep, cells):
        finish(shelf, cell)
    write_plots([shelf.read(cell) for cell in cells], asked)
    return (tmp_path / "pareto.svg").read_text()


@pytest.mark.slow
def test_both_files_are_drawn_and_the_svg_says_what_is_what(tmp_path):
    text = drawn(tmp_path)
    kind, width, height = struct.unpack(">8x4x4sII", (tmp_path / "pareto.png").read_bytes()[:24])
    assert kind == b"IHDR"
    assert width > 1000 < height * 2
    for words in (
        "memcom",
        "naive_hash",
        "full table, 64 kB",
        "ease 0.4000",
        "popularity 0.2000 (below)",
        "16x",
        "5 kB",
    ):
        assert f">{words}<" in text
    assert "test ndcg@10" in text
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "keep",
    [
        pytest.param(lambda cell: cell.technique == "full", id="the twin alone"),
        pytest.param(lambda cell: cell.technique == "memcom", id="no twin"),
        pytest.param(lambda cell: cell.head == "classifier" and cell.target_ratio != 4, id="one head, one ratio"),
    ],
)
def test_a_part_of_the_cells_is_drawn(tmp_path, keep):
    assert "<svg" in drawn(tmp_path, keep, heads=("ranknet", "classifier"))


def test_nothing_is_drawn_of_nothing(tmp_path):
    asked, shelf = comparison(tmp_path), Shelf(tmp_path)
    write_plots([shelf.read(cell) for cell in plan(asked)], asked)
    assert not list(tmp_path.glob("pareto.*"))


def test_a_bar_is_the_interval_of_the_difference_around_the_mean(tmp_path):
    asked, shelf = comparison(tmp_path), Shelf(tmp_path)
    cells = plan(asked)
    for cell in cells:
        finish(shelf, cell)
    twin, group = grouped([shelf.read(cell) for cell in cells], "ndcg@10")[:2]
    below, above = pareto._bar(group)
    mean = sum(scores(cell).mean() for cell in cells if cell[1:3] == ("memcom", 4)) / 2
    full = sum(scores(cell).mean() for cell in cells if cell.technique == "full") / 2
    assert mean - below == pytest.approx(full + group.change.low)
    assert mean + above == pytest.approx(full + group.change.high)
    assert pareto._bar(twin) == (0, 0)


def test_baselines_far_away_do_not_press_the_points_together(tmp_path):
    asked, shelf = comparison(tmp_path), Shelf(tmp_path)
    cells = plan(asked)
    for cell in cells:
        finish(shelf, cell)
    twin, *points = grouped([shelf.read(cell) for cell in cells], "ndcg@10")
    alone = pareto._limits(points, twin, [])
    assert pareto._limits(points, twin, [-5.0, 7.0]) == alone
    assert pareto._limits(points, twin, [alone[1] + 0.01])[1] > alone[1] + 0.01


@pytest.mark.parametrize(
    ("size", "words"),
    [(1, "1 B"), (999, "999 B"), (1000, "1 kB"), (64_000, "64 kB"), (5_244_587, "5.24 MB"), (2e13, "2e+04 GB")],
)
def test_bytes_in_words(size, words):
    assert byte_words(size) == words


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    check_plots()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[plot\]'"):
        check_plots()
