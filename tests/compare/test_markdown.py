import re
import statistics

from memcom_rank.compare.cells import plan
from memcom_rank.compare.markdown import page, write_page
from memcom_rank.compare.results import grouped
from memcom_rank.compare.shelf import FAILED, INFEASIBLE, Shelf
from tests.compare.cells import USERS, comparison, finish, scores


def filled(tmp_path):
    """The first seed is finished, but for one cell; of the second seed one cell is infeasible and one failed."""
    asked, shelf = comparison(tmp_path), Shelf(tmp_path)
    cells = plan(asked)
    for cell in [*cells[:4], cells[5]]:
        finish(shelf, cell)
    for cell, status in ((cells[4], INFEASIBLE), (cells[6], FAILED)):
        shelf.start(cell)
        shelf.close(cell, status, reason="it has a reason", seconds=1)
    return asked, cells, [shelf.read(cell) for cell in cells]


def rows(text, name):
    """The cells of each line that begins with a name."""
    return [
        [part.strip() for part in line.split("|")[2:-1]] for line in text.splitlines() if line.startswith(f"| {name} |")
    ]


def test_each_technique_stands_at_its_ratios(tmp_path):
    asked, cells, results = filled(tmp_path)
    text = page(results, asked)
    means = [scores(cell).mean() for cell in cells]
    twins = [means[0], means[5]]
    assert rows(text, "technique")[0] == ["own size", "4x", "16x"]
    assert rows(text, "full")[0] == [f"{statistics.fmean(twins):.4f} ± {statistics.stdev(twins):.4f}", "", ""]
    one = "(1 of 2 seeds)"
    assert rows(text, "memcom")[0] == ["", f"{means[1]:.4f} {one}", f"{means[2]:.4f} {one}"]
    assert rows(text, "naive_hash")[0] == ["", f"{means[3]:.4f} {one}", "infeasible"]
    assert rows(text, "popularity") == [["0.2000", "", ""]]
    assert rows(text, "ease") == [["0.4000", "", ""]]


def test_what_is_lost_is_in_percent_of_the_twin(tmp_path):
    asked, _, results = filled(tmp_path)
    text = page(results, asked)
    change = grouped(results, "ndcg@10")[2].change
    mean, low, high = (100 * value / change.mean_a for value in (change.mean, change.low, change.high))
    assert rows(text, "memcom")[1][1] == f"{mean:+.1f}% [{low:+.1f}%, {high:+.1f}%]"
    assert low < mean < high < 0
    assert rows(text, "naive_hash")[1][1] == "infeasible"
    assert len(rows(text, "full")) == 2  # its values and its sizes


def test_of_nothing_there_is_no_percent(tmp_path):
    """As with ndcg@1 of few users, after few epochs."""
    asked, shelf = comparison(tmp_path, seeds=[1]), Shelf(tmp_path)
    cells = plan(asked)
    for cell in cells:
        finish(shelf, cell, values=[0.0] * USERS)
    assert rows(page([shelf.read(cell) for cell in cells], asked), "memcom")[:2] == [
        ["", "0.0000", "0.0000"],
        ["-", "-"],
    ]


def test_sizes_and_costs(tmp_path):
    asked, _, results = filled(tmp_path)
    assert ["16x", "16.0x", "4,000", "5,000", "3", "60"] in rows(page(results, asked), "memcom")


def test_what_has_no_result_says_why(tmp_path):
    asked, _, results = filled(tmp_path)
    text = page(results, asked)
    assert "Cells: 5 finished, 1 infeasible, 1 failed, 3 not run." in text
    assert re.findall(r"^- (.*)$", text, re.MULTILINE) == [
        "ranknet naive_hash 16x seed 1, infeasible: it has a reason",
        "ranknet memcom 4x seed 2, failed: it has a reason",
    ]


def test_before_anything_was_run(tmp_path):
    asked, shelf = comparison(tmp_path, heads=("ranknet", "classifier")), Shelf(tmp_path)
    write_page([shelf.read(cell) for cell in plan(asked)], asked)
    text = (tmp_path / "results.md").read_text()
    assert rows(text, "memcom")[:2] == [["", "not run", "not run"], ["not run", "not run"]]
    assert re.findall("^## (.*)", text, re.MULTILINE) == ["ranknet", "classifier"]
