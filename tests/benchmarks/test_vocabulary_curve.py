import json
import sys

import polars as pl
import pytest

from benchmarks import vocabulary_curve


@pytest.mark.slow
def test_a_world_becomes_a_point_once(tmp_path, monkeypatch, capfd):
    words = f"vocabulary_curve.py --work {tmp_path} --worlds 40:400 --ratio 8 --output {tmp_path / 'curve.json'}"
    words += " --trainer.max_epochs 2 --trainer.check_val_every_n_epoch 1 --data.batch_size 64"
    monkeypatch.setattr(sys, "argv", words.split())
    vocabulary_curve.main()
    (point,) = json.loads((tmp_path / "curve.json").read_text())["points"]
    assert (point["games"], point["users"], point["technique"]) == (40, 400, "LowBit")
    assert point["bytes"] * 8 <= (point["played"] + 2) * 64 * 4 <= 42 * 64 * 4
    assert point["low"] <= point["mean"] <= point["high"]
    values = {}
    for name in ("auto", "full"):
        (users,) = tmp_path.glob(f"40-games-400-users/compare/cells/*{name}*/runs/*/users_test.parquet")
        values[name] = pl.read_parquet(users)["ndcg@10"].mean()
    assert point["mean"] == pytest.approx(100 * (values["auto"] / values["full"] - 1))
    assert point["full"] == pytest.approx(values["full"])
    assert point["bayes"] > 0
    assert (
        f"| 40 | 400 | {point['played']} | {point['bytes']:,} | {point['bayes']:.4f} |"
        in (tmp_path / "curve.md").read_text()
    )
    capfd.readouterr()
    vocabulary_curve.main()
    assert "2 of 2 cells finished" in capfd.readouterr().out
