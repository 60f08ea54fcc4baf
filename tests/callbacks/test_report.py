import json

import pytest

from memcom_rank.baselines import ease
from tests.command import fit, run
from tests.test_cli import summary


def test_the_start_says_what_is_trained(fitted):
    found = summary(fitted)
    head = fitted.out.splitlines()[:3]
    assert head[0] == f"dataset  {found['dataset.path']}: 584 users, 120 games"
    assert head[1].startswith(f"model    MEmCom of width 16: {found['embedding.bytes']:,} bytes, 4.0x smaller")
    assert head[2] == f"run      {found['run']}"


def test_summary_json_is_flat_sorted_and_plain(fitted):
    text = (fitted.folder / "summary.json").read_text()
    found = json.loads(text)
    assert list(found) == sorted(found)
    assert all(isinstance(value, str | float | int | bool | None) for value in found.values())
    assert text == json.dumps(found, indent=2) + "\n"
    assert found["wall_seconds"] > 0


def test_a_skipped_baseline_is_reported(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(ease, "MAX_GAMES", 100)
    ran = run(tmp_path, "test", "--config", "ranknet.yaml", "--ckpt_path", fitted.folder)
    found = summary(ran)
    assert "EASE over 120 games" in found["baselines.ease.skipped"]
    assert "baselines.ease.ndcg@10" not in found
    assert "skipped: EASE over 120 games" in ran.out


def test_validate_writes_one_summary_of_validation(tiny, tmp_path, tmp_path_factory):
    fitted = fit(tmp_path_factory.mktemp("fit"), tiny, "--seed_everything", 7)
    ran = run(tmp_path, "validate", "--config", "ranknet.yaml", "--ckpt_path", fitted.folder)
    found = summary(ran)
    assert (found["command"], found["seed"]) == ("validate", 7)
    assert found["epochs"] in (1, 2)  # of the training, up to the best
    assert "val.ndcg@10" in found
    assert not [key for key in found if key.startswith(("test.", "best."))]


def test_the_sanity_check_reports_nothing(tiny, tmp_path):
    ran = fit(tmp_path, tiny, "--trainer.num_sanity_val_steps", 1, epochs=1)
    assert ran.out.count("ranker, MEmCom") == 1
    assert summary(ran)["epochs"] == 1


def test_a_part_of_the_users_is_not_put_beside_all(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr("memcom_rank.data.module._MOST_USERS", 64)
    words = ("--config", "ranknet.yaml", "--ckpt_path", fitted.folder)
    ran = run(tmp_path, "test", *words, "--trainer.limit_test_batches", 2)
    found = summary(ran)
    assert found["baselines.all.skipped"].startswith("measured on 2 of ")
    assert not [key for key in found if key.startswith(("baselines.ease", "synthetic."))]
    assert "skipped: measured on 2 of" in ran.out
    validated = summary(run(tmp_path, "validate", *words, "--trainer.limit_val_batches", 1))
    assert validated["baselines.all.skipped"].startswith("measured on 1 of ")
    whole = summary(run(tmp_path, "test", *words, "--trainer.limit_test_batches", 1000))
    for key in ("test.ndcg@10", "baselines.ease.ndcg@10"):
        assert whole[key] == pytest.approx(summary(fitted)[key])
