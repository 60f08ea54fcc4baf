import dataclasses
import itertools

import pytest

from memcom_rank.compare.cells import plan, read_yaml
from memcom_rank.contract.errors import ConfigError
from tests.compare.cells import CONFIGS, DIGEST, comparison


def test_every_combination_is_there_once_and_the_twin_once_a_seed(tmp_path):
    cells = plan(comparison(tmp_path, heads=("ranknet", "classifier")))
    sized = itertools.product(("ranknet", "classifier"), ("memcom", "naive_hash"), (4, 16), (1, 2))
    twins = [(head, "full", None, seed) for head in ("ranknet", "classifier") for seed in (1, 2)]
    assert sorted(map(repr, (cell[:4] for cell in cells))) == sorted(map(repr, [*sized, *twins]))
    assert len({cell.name for cell in cells}) == len(cells)


def test_each_seed_is_a_comparison_of_its_own_that_begins_with_the_twin(tmp_path):
    cells = plan(comparison(tmp_path, techniques=("naive_hash", "full", "memcom")))
    assert [cell.seed for cell in cells] == [1] * 5 + [2] * 5
    assert [cell.name for cell in cells][:3] == [
        "ranknet-full-seed-1",
        "ranknet-naive_hash-4x-seed-1",
        "ranknet-naive_hash-16x-seed-1",
    ]


def test_what_is_compared_is_said_last(tmp_path):
    flags = ["--seed_everything", "9", "--config", str(CONFIGS / "match/pool.yaml")]
    cell = plan(comparison(tmp_path, flags=flags, ratios=[2.5]))[1]
    assert " ".join(cell.words) == (
        f"fit --config {CONFIGS}/ranknet.yaml --config {CONFIGS}/embedding/memcom.yaml "
        f"--seed_everything 9 --config {CONFIGS}/match/pool.yaml "
        "--model.init_args.embedding.init_args.target_ratio 2.5 --seed_everything 1 --data.path /data/steam"
    )


def test_ratios_are_passed_on_to_the_last_digit(tmp_path):
    cells = plan(comparison(tmp_path, ratios=[33.3333333, 33.3333334], seeds=[1], techniques=("full", "memcom")))[1:]
    assert [cell.name for cell in cells] == ["ranknet-memcom-33.3333333x-seed-1", "ranknet-memcom-33.3333334x-seed-1"]
    assert all(f"target_ratio {cell.target_ratio}" in " ".join(cell.words) for cell in cells)


def test_flags_that_set_what_is_compared_are_refused(tmp_path):
    """They would overrule every technique, the twin too."""
    own = tmp_path / "own.yaml"
    own.write_text("model: {init_args: {embedding: {class_path: memcom_rank.embeddings.LowBit}}}")
    for flags in (
        ["--config", str(CONFIGS / "embedding/low_bit.yaml")],
        ["-c", str(own)],
        ["--model.init_args.embedding.init_args.bits", "2"],
        ["--model.init_args.embedding=memcom_rank.embeddings.LowBit"],
    ):
        with pytest.raises(ConfigError, match="which is what is compared"):
            plan(comparison(tmp_path, flags=flags))


def test_the_twin_is_asked_for_no_ratio(tmp_path):
    assert not any("target_ratio" in word for word in plan(comparison(tmp_path))[0].words)


def test_a_cell_holds_the_contents_of_its_configs(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("data: {batch_size: 8}")
    cell = plan(comparison(tmp_path, flags=["--config", str(own)]))[1]
    assert cell.settings["flags"] == ["--config", {"data": {"batch_size": 8}}]
    assert cell.settings["technique"] == read_yaml(CONFIGS / "embedding/memcom.yaml")
    assert cell.settings["head"]["model"]["class_path"] == "memcom_rank.tasks.RankNet"
    assert (cell.settings["target_ratio"], cell.settings["seed"], cell.settings["dataset"]) == (4, 1, DIGEST)
    assert "dataset" not in plan(comparison(tmp_path, digest=None))[0].settings


def test_an_overlay_in_bytes_has_a_size_of_its_own(tmp_path):
    text = (CONFIGS / "embedding/memcom.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(
        text.replace("target_ratio: 16.0", "target_ratio: null").replace("budget_bytes: null", "budget_bytes: 20kB")
    )
    techniques = {"full": CONFIGS / "embedding/full.yaml", "mine": tmp_path / "mine.yaml"}
    cells = plan(dataclasses.replace(comparison(tmp_path), techniques=techniques))
    assert [cell.title for cell in cells[:2]] == ["ranknet full seed 1", "ranknet mine seed 1"]


@pytest.mark.parametrize("text", ["trainer: [\n", "just text", "- a list"])
def test_a_config_that_is_none(tmp_path, text):
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"odd\.yaml"):
        read_yaml(tmp_path / "odd.yaml")


def test_a_technique_that_is_no_overlay_of_an_embedding(tmp_path):
    wrong = comparison(tmp_path, flags=[], techniques=("full",))
    wrong.techniques["pool"] = CONFIGS / "match/pool.yaml"
    with pytest.raises(ConfigError, match="the technique 'pool' is no overlay of an embedding"):
        plan(wrong)
