import re

import pytest
import yaml

import train
from memcom_rank.compare_config import comparison_of, read_request
from memcom_rank.contract.errors import ConfigError, DatasetError

SHIPPED = ["compare.yaml", "compare_smoke.yaml"]


@pytest.fixture
def written(tmp_path):
    """Writes a comparison's file with some keys changed, or left out where they are ...; returns its path."""

    def write(**changes):
        content = {**yaml.safe_load((train.CONFIGS / "compare.yaml").read_text()), **changes}
        content = {key: value for key, value in content.items() if value is not ...}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
        return str(tmp_path / "mine.yaml")

    return write


def request(config, *flags, **given):
    return read_request(config, {key.replace("_", "."): value for key, value in given.items()}, flags, train.CONFIGS)


def refused(call, seen):
    with pytest.raises(ConfigError) as caught:
        call()
    assert seen in caught.value.seen
    return caught.value


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_files_are_whole(name, tiny):
    asked = request(name)
    asked = asked._replace(path=tiny)
    comparison = comparison_of(asked, train.CONFIGS, running=True)
    assert list(comparison.techniques) == ["full", "memcom", "naive_hash"]
    assert comparison.heads == {"ranknet": train.CONFIGS / "ranknet.yaml"}
    assert comparison.digest.startswith("sha256:")
    assert all(isinstance(word, str) for word in [*comparison.flags, *asked.build])


def test_the_command_line_overrules_the_file(tiny):
    given = {"ratios": [8.0], "seeds": [4, 4, 2], "techniques": ["naive_hash"], "processes": 3, "output": "there"}
    asked = request("compare_smoke.yaml", "--trainer.max_epochs", "7", data_path=str(tiny), metric="mrr", **given)
    comparison = comparison_of(asked, train.CONFIGS, running=True)
    assert list(comparison.techniques) == ["full", "naive_hash"]
    assert (comparison.ratios, comparison.seeds, comparison.metric) == ([8.0], [4, 2], "mrr")
    assert comparison.flags[:2] == ["--trainer.max_epochs", "10"]
    assert comparison.flags[-2:] == ["--trainer.max_epochs", "7"]
    assert (comparison.output.is_absolute(), comparison.output.name, asked.processes) == (True, "there", 3)
    assert comparison.data == tiny


def test_another_dataset_is_not_built_with_the_flags_of_the_file_s():
    assert request("compare.yaml").build
    assert request("compare.yaml", data_path="data/steam").build is None


def test_configs_among_the_flags_become_files_and_numbers_words(written, tmp_path, tiny, monkeypatch):
    (tmp_path / "own.yaml").write_text("data: {batch_size: 8}")
    monkeypatch.chdir(tmp_path)
    flags = [
        "--config",
        "own.yaml",
        "--data.batch_size",
        16,
        "--data.keep_share",
        [0.3, 1.0],
        "--data.hide_latest",
        True,
    ]
    asked = request(written(flags=flags), "--config=match/pool.yaml", data_path=str(tiny))
    assert comparison_of(asked, train.CONFIGS, running=True).flags == [
        *("--config", str(tmp_path / "own.yaml"), "--data.batch_size", "16", "--data.keep_share", "[0.3, 1.0]"),
        *("--data.hide_latest", "true", "--config", str(train.CONFIGS / "match/pool.yaml")),
    ]
    wrong = request(written(flags=["--config", "match/pol.yaml"]), data_path=str(tiny))
    error = refused(lambda: comparison_of(wrong, train.CONFIGS, running=True), "no config 'match/pol.yaml'")
    assert "match/pool.yaml" in error.fix


def test_a_technique_of_one_s_own(tmp_path, tiny):
    own = tmp_path / "mine.yaml"
    own.write_text((train.CONFIGS / "embedding/memcom.yaml").read_text())
    asked = request("compare.yaml", data_path=str(tiny), techniques=["memcom", str(own)])
    assert comparison_of(asked, train.CONFIGS, running=True).techniques["mine"] == own
    (tmp_path / "other").mkdir()
    own.rename(tmp_path / "other/memcom.yaml")
    asked = request("compare.yaml", data_path=str(tiny), techniques=["memcom", str(tmp_path / "other/memcom.yaml")])
    refused(lambda: comparison_of(asked, train.CONFIGS, running=True), "techniques is memcom")


def test_an_unknown_technique_is_told_which_there_are(tiny):
    asked = request("compare.yaml", data_path=str(tiny), techniques=["memcon"])
    error = refused(lambda: comparison_of(asked, train.CONFIGS, running=True), "unknown technique 'memcon'")
    assert {path.stem for path in (train.CONFIGS / "embedding").glob("*.yaml")} <= set(re.findall(r"\w+", error.wanted))
    assert error.fix == "did you mean memcom?"


def test_an_unknown_dataset(tmp_path):
    asked = request("compare.yaml", data_path=str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match="no dataset at"):
        comparison_of(asked, train.CONFIGS, running=True)
    assert comparison_of(asked, train.CONFIGS, running=False).digest is None  # a report needs none


@pytest.mark.parametrize(
    ("key", "value", "seen"),
    [
        ("ratios", [16, 0.5], "ratios is 0.5"),
        ("ratios", ["16x"], "ratios is 16x"),
        ("ratios", [float("inf")], "ratios is inf"),
        ("ratios", [True], "ratios is True"),
        ("ratios", 16, "ratios is 16"),
        ("seeds", [1.5], "seeds is 1.5"),
        ("seeds", [-1], "seeds is -1"),
        ("seeds", [], "seeds is []"),
        ("heads", [], "heads is []"),
        ("flags", "--trainer.max_epochs 2", "flags is --trainer"),
        ("metric", "ndgc@10", "metric is ndgc@10"),
        ("metric", "coverage@10", "metric is coverage@10"),
        ("processes", 0, "processes is 0"),
        ("data", {"path": "data/steam"}, "has no build"),
        ("data", "data/steam", "has no path and no build"),
        ("output", ..., "has no output"),
        ("ratio", [4], "unknown key 'ratio'"),
    ],
)
def test_a_wrong_value_is_named(written, key, value, seen):
    refused(lambda: request(written(**{key: value})), seen)


def test_a_misspelt_key_is_told_which_was_meant(written):
    assert "'ratios'" in refused(lambda: request(written(ratio=[4])), "unknown key 'ratio'").wanted


def test_a_misspelt_file_is_told_which_was_meant():
    assert "compare.yaml" in refused(lambda: request("compar.yaml"), "no config 'compar.yaml'").fix
