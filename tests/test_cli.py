"""The commands from end to end, in this process, on the tiny dataset."""

import csv
import json
import math
import shutil
from typing import Union, get_args

import pyarrow.parquet as pq
import pytest
import torch
import yaml
from pytorch_lightning import Trainer

from memcom_rank.data import RankingDataset
from tests.command import DIM, SMALL, fit, run

KEYS = {
    *(f"test.{key}" for key in ("ndcg@10", "ndcg@20", "ndcg", "graded_ndcg@10", "recall@10", "mrr", "coverage@10")),
    *(f"baselines.{name}.{key}" for name in ("popularity", "ease") for key in ("ndcg@10", "ndcg", "recall@10", "mrr")),
    *(f"{part}.{key}" for part in ("embedding", "model") for key in ("bytes", "full_bytes")),
    *("embedding.ratio", "embedding.technique", "dataset.digest", "dataset.path", "synthetic.bayes.ndcg@10"),
    *("test.users", "test.ndcg@10.low", "test.ndcg@10.high", "test.slices.head.ndcg@10", "test.slices.head.users"),
    *("command", "seed", "epochs", "wall_seconds", "run", "checkpoint", "best.val.ndcg@10"),
}


def summary(ran):
    return json.loads((ran.folder / "summary.json").read_text())


def columns(ran):
    """{key: [values in the order logged]} of metrics.csv."""
    with (ran.folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {key: [float(row[key]) for row in rows if row[key]] for key in rows[0]}


def test_a_fit_leaves_a_whole_run_folder(fitted):
    assert {path.name for path in fitted.folder.iterdir()} >= {"config.yaml", "metrics.csv", "summary.json"}
    assert {path.name for path in (fitted.folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert not list(fitted.folder.rglob("*.tmp"))


def test_the_summary_has_its_keys_and_says_what_the_metrics_say(fitted, tiny):
    found, logged = summary(fitted), columns(fitted)
    assert set(found) >= KEYS
    assert {key.replace("/", ".") for key in logged if key.startswith("test/")} <= set(found)
    for key, values in logged.items():
        if key.startswith("test/"):
            assert values == [found[key.replace("/", ".")]]
    assert found["best.val.ndcg@10"] == max(logged["val/ndcg@10"])
    assert len(logged["val/ndcg@10"]) == len(logged["train/loss_epoch"]) == found["epochs"] == 2
    assert all(rate > 0 for rate in logged["train/rows_per_second"])
    assert (found["command"], found["seed"]) == ("fit", 1)
    manifest = json.loads((tiny / "manifest.json").read_text())
    assert found["dataset.digest"] == manifest["digest"]
    assert found["synthetic.bayes.ndcg@10"] == manifest["references"]["synthetic.bayes.ndcg@10"]


def test_slices_again_in_plain_python(fitted, tiny):
    """The slices of the users' own file, from the dataset's tables."""
    tables = {name: pq.read_table(tiny / f"{name}.parquet").to_pydict() for name in ("histories", "validation", "test")}
    known = dict(zip(tables["validation"]["row"], tables["validation"]["games"], strict=True))
    rows = [game for games in tables["histories"]["games"] for game in games]
    users = pq.read_table(fitted.folder / "users_test.parquet").to_pylist()
    found, values = summary(fitted), {}
    for row, wanted, user in zip(tables["test"]["row"], tables["test"]["games"], users, strict=True):
        length = len(tables["histories"]["games"][row]) + len(known.get(row, ()))
        assert (user["user"], user["history_length"]) == (tables["histories"]["user"][row], length)
        middle = sorted(wanted, key=lambda game: 999 if game == 1 else game)[len(wanted) // 2]
        before = sum(game < middle for game in rows) / len(rows)
        popularity = "unknown" if middle == 1 else ("head", "middle", "tail")[int(3 * before)]
        values.setdefault(popularity, []).append(user["ndcg@10"])
    assert {"head", "middle", "tail"} <= set(values)
    for name, own in values.items():
        assert found[f"test.slices.{name}.users"] == len(own)
        assert found[f"test.slices.{name}.ndcg@10"] == pytest.approx(sum(own) / len(own), abs=1e-9)
    assert found["test.ndcg@10.low"] < found["test.ndcg@10"] < found["test.ndcg@10.high"]


def test_the_bytes_are_those_of_the_checkpoint(fitted):
    state = torch.load(fitted.folder / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
    sizes = {name: value.numel() * value.element_size() for name, value in state.items() if "metrics" not in name}
    found = summary(fitted)
    assert sum(sizes.values()) == found["model.bytes"]
    assert sum(size for name, size in sizes.items() if ".embedding." in name) == found["embedding.bytes"]
    assert found["embedding.full_bytes"] == 122 * 16 * 4
    assert found["embedding.ratio"] == pytest.approx(122 * 16 * 4 / found["embedding.bytes"])


def test_popularity_again_in_plain_python(fitted, tiny):
    tables = {name: pq.read_table(tiny / f"{name}.parquet").to_pydict() for name in ("histories", "validation", "test")}
    histories = tables["histories"]["games"]
    known = dict(zip(tables["validation"]["row"], tables["validation"]["games"], strict=True))
    counts = {game: sum(game in games for games in histories) for game in range(2, 122)}
    values = []
    for row, wanted in zip(tables["test"]["row"], tables["test"]["games"], strict=True):
        seen = {*histories[row], *known.get(row, ())}
        mean = []  # equal counts share the places they stand on: the mean over their orders
        for game in wanted:
            if game < 2:
                continue
            others = [other for other in counts if other not in seen]
            above = sum(counts[other] > counts[game] for other in others)
            level = sum(counts[other] == counts[game] for other in others)
            mean.append(sum(1 / math.log2(2 + place) for place in range(above, min(above + level, 10))) / level)
        values.append(sum(mean) / sum(1 / math.log2(2 + place) for place in range(min(len(wanted), 10))))
    assert summary(fitted)["baselines.popularity.ndcg@10"] == pytest.approx(sum(values) / len(values), abs=1e-9)


def test_the_closing_table_is_printed(fitted):
    found = summary(fitted)
    for line in (
        "ranker, MEmCom",
        "popularity",
        "ease",
        "best possible (Bayes)",
        "embedding",
        "whole model",
        "held-out game: tail",
    ):
        assert line in fitted.out
    assert f"{found['test.ndcg@10']:.4f}" in fitted.out
    assert f"predict --config {found['run']}/config.yaml --ckpt_path {found['run']}\n" in fitted.out
    assert "Traceback" not in fitted.err


@pytest.mark.parametrize("command", ["test", "validate"])
def test_the_best_checkpoint_gives_the_fits_own_figures(fitted, empty, command):
    ran = run(empty, command, "--config", "ranknet.yaml", "--ckpt_path", fitted.folder)
    assert ran.status == 0, ran.err
    found, before = summary(ran), summary(fitted)
    if command == "test":
        same = [key for key in before if key.startswith(("test.", "baselines.", "embedding.", "model."))]
        assert {key: found[key] for key in same} == {key: before[key] for key in same}
    else:
        assert found["val.ndcg@10"] == before["best.val.ndcg@10"]
        assert 0 < found["baselines.popularity.ndcg@10"] != before["baselines.popularity.ndcg@10"]
    assert found["checkpoint"] == str(fitted.folder / "checkpoints/best.ckpt")


@pytest.mark.parametrize("word", ["file", "last", "best"])
def test_the_other_ways_to_name_a_checkpoint(fitted, empty, word):
    shutil.copytree(fitted.folder, empty / "runs/20260101-000000-fit", ignore=shutil.ignore_patterns("wandb"))
    own = empty / "runs/20260101-000000-fit/checkpoints"
    name, wanted = (own / "last.ckpt",) * 2 if word == "file" else (word, own / f"{word}.ckpt")
    ran = run(empty, "test", "--config", "ranknet.yaml", "--ckpt_path", name)
    assert ran.status == 0, ran.err
    assert (empty / summary(ran)["checkpoint"]).samefile(wanted)


def test_a_checkpoints_settings_beat_the_configs_and_flags_beat_both(tiny, empty):
    full = fit(empty, tiny, "--config", "embedding/full.yaml", "--config", "match/pool.yaml", small=DIM, epochs=1)
    ran = run(empty, "test", "--config", "ranknet.yaml", "--ckpt_path", full.folder, "--model.init_args.ks", "[3]")
    assert ran.status == 0, ran.err
    config = yaml.safe_load((ran.folder / "config.yaml").read_text())
    made = config["model"]["init_args"]
    assert made["embedding"]["class_path"] == "memcom_rank.embeddings.Full"
    assert made["match"]["class_path"] == "memcom_rank.models.PoolMatch"
    assert (made["dim"], made["ks"], config["data"]["path"]) == (16, [3], str(tiny))
    assert "test.ndcg@3" in summary(ran)
    assert "test.ndcg@10" not in summary(ran)


def test_predictions_carry_the_sources_own_ids(fitted, tiny, empty):
    ran = run(empty, "predict", "--config", "ranknet.yaml", "--ckpt_path", fitted.folder, "--model.init_args.top_k", 7)
    assert ran.status == 0, ran.err
    assert {path.name for path in ran.folder.iterdir()} == {"config.yaml", "predictions.parquet"}
    table = pq.read_table(ran.folder / "predictions.parquet")
    dataset = RankingDataset(tiny)
    assert table.column_names == ["user", "rank", "game", "title", "score"]
    assert table.schema.field("user").type == dataset.user_ids().type
    games = dataset.games()
    assert table.schema.field("game").type == games.schema.field("game").type
    ids = {
        game: (row, title)
        for row, game, title in zip(*(games[c].to_pylist() for c in ("id", "game", "title")), strict=True)
    }
    everything = dataset.everything().histories
    owned = [set(everything.padded(torch.tensor([row]))[0].tolist()) for row in range(dataset.manifest.num_users)]
    users = dataset.user_ids().to_pylist()
    lists = table.to_pylist()
    assert len(lists) == 7 * len(users)
    for row, user in enumerate(users):
        own = lists[7 * row : 7 * row + 7]
        assert [line["user"] for line in own] == [user] * 7
        assert [line["rank"] for line in own] == list(range(1, 8))
        assert not owned[row] & {ids[line["game"]][0] for line in own}
        assert all(line["title"] == ids[line["game"]][1] for line in own)
        scores = [line["score"] for line in own]
        assert scores == sorted(scores, reverse=True)


def test_the_same_seed_gives_the_same_run_bit_for_bit(fitted, tiny, empty):
    again, other = fit(empty, tiny), fit(empty, tiny, "--seed_everything", 2)

    def figures(ran):
        return {key: values for key, values in columns(ran).items() if "rows_per_second" not in key}

    assert figures(again) == figures(fitted)
    assert figures(other)["train/loss_epoch"] != figures(fitted)["train/loss_epoch"]
    assert summary(other)["seed"] == 2


def test_the_printed_config_makes_the_same_run(fitted, tiny, empty):
    words = ("--config", "ranknet.yaml", "--data.path", tiny, "--trainer.max_epochs", 2, *SMALL)
    printed = run(empty, "fit", *words, "--print_config")
    assert (printed.status, printed.folder) == (0, None)
    (empty / "mine.yaml").write_text(printed.out)
    ran = run(empty, "fit", "--config", "mine.yaml")
    assert ran.status == 0, ran.err
    assert summary(ran)["test.ndcg@10"] == summary(fitted)["test.ndcg@10"]
    repeated = run(empty, "fit", "--config", ran.folder / "config.yaml")
    assert summary(repeated)["test.ndcg@10"] == summary(fitted)["test.ndcg@10"]
    assert repeated.folder != ran.folder


@pytest.mark.parametrize("words", [("--help",), ("fit", "--help"), ("predict", "-h")])
def test_help_shows_examples(empty, words):
    ran = run(empty, *words)
    assert (ran.status, ran.err, ran.folder) == (0, "", None)
    assert "\n  python train.py fit --config ranknet.yaml\n" in ran.out


def test_one_batch_is_one_batch_whatever_typing_has_made_of_lightnings_types(monkeypatch, tiny, empty):
    floats_first = Union[float, int, None]  # noqa: UP007 - keeps this order, as in an environment without rich
    assert get_args(floats_first)[0] is float
    for name in ("limit_val_batches", "limit_train_batches"):
        monkeypatch.setitem(Trainer.__init__.__annotations__, name, floats_first)
    words = ("--trainer.limit_val_batches", 1, "--trainer.limit_train_batches", 1.0, "--print_config")
    shown = yaml.safe_load(run(empty, "fit", "--config", "ranknet.yaml", "--data.path", tiny, *words).out)["trainer"]
    found = [shown["limit_val_batches"], shown["limit_train_batches"]]
    assert [(type(value), value) for value in found] == [(int, 1), (float, 1.0)]


@pytest.mark.slow
def test_workers_change_nothing(fitted, tiny, empty):
    ran = fit(empty, tiny, "--data.num_workers", 2, epochs=1)
    assert columns(ran)["val/ndcg@10"] == columns(fitted)["val/ndcg@10"][:1]


def test_under_slurm_on_one_node_nothing_is_asked(fitted, tiny, empty):
    slurm = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
    ran = fit(empty, tiny, **slurm, SLURM_NTASKS_PER_NODE="1", SLURM_LOCALID="0", SLURM_NODEID="0")
    assert summary(ran)["test.ndcg@10"] == summary(fitted)["test.ndcg@10"]


def test_no_progress_bar_where_none_is_wanted(tiny, empty):
    ran = fit(empty, tiny, "--trainer.enable_progress_bar", "false", epochs=1)
    assert "epoch " not in ran.out
    assert "ranker, MEmCom" in ran.out


def test_a_fit_that_is_to_test_nothing_says_so(tiny, tmp_path):
    ran = fit(tmp_path, tiny, "--trainer.limit_test_batches", 0, epochs=1)
    assert ran.status == 0
    assert "not tested, as asked" in ran.out
    assert not (ran.folder / "summary.json").exists()
