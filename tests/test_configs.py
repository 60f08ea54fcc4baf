"""Every shipped YAML runs as it stands, names every knob of its class, and carries no value that is filled in."""

import functools
import importlib
import inspect

import pytest
import torch
import yaml

import train
from memcom_rank.data import RankingData
from memcom_rank.tasks import RankNet
from tests.command import DIM, SMALL, fit, run
from tests.test_cli import summary

YAMLS = sorted(str(path.relative_to(train.CONFIGS)) for path in train.CONFIGS.rglob("*.yaml"))
COMPARISONS = [name for name in YAMLS if name.startswith("compare")]  # test_compare_config.py
RECIPES = [name for name in YAMLS if "/" not in name and name not in COMPARISONS]
RANKING = [name for name in RECIPES if name != "classifier_label.yaml"]
OVERLAYS = [
    name for name in YAMLS if name not in (*RECIPES, *COMPARISONS, "trainer/ddp.yaml")
]  # ddp: test_distributed.py
RATIO = ("--model.init_args.embedding.init_args.target_ratio", "3")  # what 120 games of width 16 can reach


def content(name):
    return yaml.safe_load((train.CONFIGS / name).read_text())


def leaves(node, *path):
    """(path, value) of everything that a configuration says; a class with its knobs is one value."""
    if isinstance(node, dict) and "class_path" not in node:
        for key, value in node.items():
            yield from leaves(value, *path, key)
    else:
        yield path, node


def at(node, path):
    return functools.reduce(lambda inner, key: inner[key], path, node)


def classes(node):
    """Every {class_path, init_args} of a configuration."""
    if isinstance(node, dict):
        if "class_path" in node:
            yield node["class_path"], node.get("init_args") or {}
        for value in node.values():
            yield from classes(value)
    elif isinstance(node, list):
        for value in node:
            yield from classes(value)


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_trains(tiny, timed, tmp_path, name):
    dataset = timed if name == "hide/latest.yaml" else tiny
    small = DIM if name in ("match/mixture.yaml", "match/pool.yaml") else SMALL
    ratio = RATIO if "target_ratio" in str(content(name)) else ()
    ran = fit(tmp_path, dataset, "--config", name, *small, *ratio, small=(), epochs=1)
    used = yaml.safe_load((ran.folder / "config.yaml").read_text())
    for path, _ in classes(content(name)):
        assert path in {seen for seen, _ in classes(used)}
    for path, value in leaves(content(name)):
        if not isinstance(value, dict) and path[0] != "trainer":
            assert at(used, path) == value
    assert 0 < summary(ran)["test.ndcg@10"] < 1


def test_bf16_training_is_under_autocast(tiny, tmp_path, monkeypatch):
    step, seen = RankNet.training_step, []

    def spy(*arguments):
        seen.append((torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")))
        return step(*arguments)

    monkeypatch.setattr(RankNet, "training_step", spy)
    fit(tmp_path, tiny, "--config", "trainer/bf16.yaml", "--trainer.accelerator", "cpu")
    assert seen == [(True, torch.bfloat16)] * 2


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_at_its_own_size(tiny, labelled, tmp_path, recipe):
    ran = fit(tmp_path, tiny if recipe in RANKING else labelled, recipe=recipe, small=(), epochs=1)
    wanted = content(recipe)["model"]["init_args"]["embedding"]["init_args"]["target_ratio"]
    assert summary(ran)["embedding.ratio"] >= wanted


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "ranknet.yaml"])
def test_a_classifier_takes_the_overlays_of_ranknet(tiny, labelled, tmp_path, recipe):
    dataset, score = (tiny, "test.ndcg@10") if recipe in RANKING else (labelled, "test.accuracy")
    overlays = ["embedding/naive_hash.yaml", "trainer/bf16.yaml", *["match/pool.yaml"] * (recipe == "classifier.yaml")]
    words = [word for name in overlays for word in ("--config", name)]
    ran = fit(tmp_path, dataset, *words, *RATIO, "--trainer.accelerator", "cpu", recipe=recipe, small=DIM, epochs=1)
    found = summary(ran)
    assert found["embedding.technique"] == "NaiveHash"
    assert 0 < found[score] < 1


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_goes_on_under_its_own_config_and_under_ranknets(tiny, labelled, tmp_path, recipe):
    """A checkpoint says which task it is."""
    dataset, score = (tiny, "test.ndcg@10") if recipe in RANKING else (labelled, "test.accuracy")
    small = SMALL if "match" in content(recipe)["model"]["init_args"] else DIM
    ran = fit(tmp_path, dataset, recipe=recipe, small=small, epochs=1)
    again = [run(tmp_path, "test", "--config", name, "--ckpt_path", ran.folder) for name in (recipe, "ranknet.yaml")]
    for tested in again:
        assert tested.status == 0, tested.err
        assert summary(tested)[score] == summary(ran)[score]
        assert summary(tested)["model.bytes"] == summary(ran)["model.bytes"]
    own = run(tmp_path, "predict", "--config", ran.folder / "config.yaml", "--ckpt_path", ran.folder)
    assert own.status == 0, own.err


@pytest.mark.parametrize("folder", ["embedding", "hide", "loss", "match", "negatives"])
def test_overlays_of_a_folder_name_the_same_knobs(folder):
    """So that the last one wins whole."""
    named = [{path for path, _ in leaves(content(name))} for name in OVERLAYS if name.startswith(f"{folder}/")]
    assert len(named) > 1
    assert all(knobs == named[0] for knobs in named)


@pytest.mark.parametrize("folder", ["hide", "loss", "negatives"])
def test_the_last_overlay_wins_whole(tiny, tmp_path, folder):
    overlays = [name for name in OVERLAYS if name.startswith(f"{folder}/")]

    def printed(*names):
        words = [word for name in ("ranknet.yaml", *names) for word in ("--config", name)]
        return yaml.safe_load(run(tmp_path, "fit", *words, "--data.path", tiny, "--print_config").out)

    for last in overlays:
        assert printed(*overlays, last) == printed(last)


@pytest.mark.parametrize("folder", ["hide", "loss", "negatives"])
def test_the_shipped_recipe_is_one_of_the_overlays(folder):
    recipe = content("ranknet.yaml")
    shipped = {"hide": "hide/random.yaml", "loss": "loss/ranknet.yaml", "negatives": "negatives/uniform.yaml"}[folder]
    for path, value in leaves(content(shipped)):
        assert at(recipe, path) == value


@pytest.mark.parametrize("name", YAMLS)
def test_no_linked_key_is_written_down(name):
    found = content(name)
    assert not {"num_ids", "num_labels"} & set((found.get("model") or {}).get("init_args", {}))
    assert "seed" not in found.get("data", {})


@pytest.mark.parametrize("name", YAMLS)
def test_every_knob_of_our_classes_is_named(name):
    """So that switching a class leaves no value of the one before it."""
    for path, given in classes(content(name)):
        module, _, kind = path.rpartition(".")
        if module in ("memcom_rank.embeddings", "memcom_rank.models", "memcom_rank.tasks"):
            wanted = set(inspect.signature(getattr(importlib.import_module(module), kind)).parameters)
            filled_in = {"num_ids", "dim"} if module == "memcom_rank.embeddings" else {"num_ids", "num_labels"}
            assert set(given) == wanted - filled_in
    if name in RECIPES:
        assert set(content(name)["data"]) == set(inspect.signature(RankingData).parameters) - {"seed"}
