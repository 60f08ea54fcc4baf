import io
import types

import pytest
import torch
from pytorch_lightning.callbacks import TQDMProgressBar

from memcom_rank.callbacks.progress import EpochBar, EpochLines, progress_bar
from tests.command import fit
from tests.test_cli import columns


def trainer(epoch=1, rank=0, best=None, **metrics):
    values = {key.replace("__", "/").replace("_at_", "@"): torch.tensor(value) for key, value in metrics.items()}
    return types.SimpleNamespace(
        callback_metrics=values, current_epoch=epoch, max_epochs=40, is_global_zero=rank == 0,
        checkpoint_callbacks=[] if best is None else [best],
    )  # fmt: skip


METRICS = {"train__loss_epoch": 0.5, "val__ndcg_at_10": 0.25, "train__rows_per_second": 12_345.0}


TASK = types.SimpleNamespace(headline="ndcg@10")


def printed(lines, made, capsys, *, validated=True):
    if validated and isinstance(lines, EpochLines):
        lines.on_validation_end(made, TASK)
    lines.on_train_epoch_end(made, TASK)
    return capsys.readouterr().out


def test_a_line(capsys):
    line = printed(EpochLines(), trainer(**METRICS), capsys)
    assert line.split()[:-2] == ["epoch", "2/40", "loss", "0.5000", "val/ndcg@10", "0.2500", "*", "12,345", "rows/s"]
    assert line.count("\n") == 1


def test_the_best_so_far_is_marked(capsys):
    lines = EpochLines()
    marks = ["*" in printed(lines, trainer(**{**METRICS, "val__ndcg_at_10": v}), capsys) for v in (0.2, 0.1, 0.2, 0.3)]
    assert marks == [True, False, False, True]


def test_of_several_validations_the_last_is_shown_and_marked_if_it_is_the_best(capsys):
    lines = EpochLines()
    for scores, wanted in ([(0.2, 0.1), "0.1000 "], [(0.1, 0.3), "0.3000 *"], [(0.4, 0.35), "0.3500 "]):
        for score in scores:
            lines.on_validation_end(trainer(**{**METRICS, "val__ndcg_at_10": score}), TASK)
        line = printed(lines, trainer(**{**METRICS, "val__ndcg_at_10": scores[-1]}), capsys, validated=False)
        assert wanted in line
        assert ("*" in line) == ("*" in wanted)


def test_a_run_without_an_end_has_no_last_epoch(capsys):
    made = trainer(**METRICS)
    made.max_epochs = -1
    assert printed(EpochLines(), made, capsys).split()[:3] == ["epoch", "2", "loss"]


def test_an_epoch_without_validation(capsys):
    lines = EpochLines()
    assert " 0.2500 *" in printed(lines, trainer(**METRICS), capsys)
    later = trainer(epoch=2, **{**METRICS, "val__ndcg_at_10": 0.75})
    lines.on_train_epoch_start(later, TASK)
    line = printed(lines, later, capsys, validated=False)
    assert line.split()[:7] == ["epoch", "3/40", "loss", "0.5000", "val/ndcg@10", "-", "12,345"]


@pytest.mark.parametrize("kind", [EpochLines, EpochBar])
def test_the_other_ranks_are_silent(capsys, kind, monkeypatch):
    monkeypatch.setattr(TQDMProgressBar, "on_train_epoch_end", lambda *_: None)
    assert printed(kind(), trainer(rank=1, **METRICS), capsys) == ""


def test_the_bar_shows_what_is_worth_watching():
    found = EpochBar().get_metrics(trainer(train__loss=0.75, **METRICS), TASK)
    assert found == {"loss": "0.7500", "val/ndcg@10": "0.2500", "rows/s": "12,345"}
    assert EpochBar().get_metrics(trainer(), TASK) == {}


def test_a_run_prints_the_figures_it_logs(fitted):
    lines = [line.split() for line in fitted.out.splitlines() if line.startswith("epoch")]
    logged = columns(fitted)
    assert [line[5 if line[4] == "val/ndcg@10" else 6] for line in lines] == [f"{v:.4f}" for v in logged["val/ndcg@10"]]
    assert [line[3] for line in lines] == [f"{v:.4f}" for v in logged["train/loss_epoch"]]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_on_a_terminal_and_lines_elsewhere(monkeypatch):
    assert type(progress_bar()) is EpochLines
    monkeypatch.setattr("sys.stdout", Terminal())
    assert type(progress_bar()) is EpochBar


def test_a_fit_under_a_bar_prints_the_same_lines(fitted, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("memcom_rank.cli.progress_bar", EpochBar)
    ran = fit(tmp_path, tiny)
    shown = [line.split("epoch ")[-1].split() for line in ran.out.replace("\r", "\n").splitlines() if "epoch " in line]
    wanted = [line.split()[1:] for line in fitted.out.splitlines() if line.startswith("epoch")]
    assert [line[:5] for line in shown] == [line[:5] for line in wanted]
    assert "val/ndcg@10=0." in ran.out
    assert "rows/s=" in ran.out
