import pytest

from memcom_rank.config_files import find_config
from memcom_rank.contract.errors import ConfigError


def test_a_file_comes_before_a_shipped_config(tmp_path, monkeypatch):
    configs = tmp_path / "configs"
    (configs / "embedding").mkdir(parents=True)
    for name in ("ranknet.yaml", "embedding/full.yaml"):
        (configs / name).touch()
    monkeypatch.chdir(tmp_path)
    assert find_config("embedding/full.yaml", configs) == configs / "embedding/full.yaml"
    (tmp_path / "ranknet.yaml").touch()
    assert str(find_config("ranknet.yaml", configs)) == "ranknet.yaml"
    with pytest.raises(ConfigError, match=r"did you mean --config embedding/full.yaml \?"):
        find_config("full.yaml", configs)
    (configs / "loss").mkdir()
    (configs / "loss/ranknet.yaml").touch()
    with pytest.raises(ConfigError, match=r"did you mean --config ranknet.yaml \?"):
        find_config("ranknett", configs)
    with pytest.raises(ConfigError, match="check the name"):
        find_config("nope.yaml", configs)
    with pytest.raises(ConfigError, match=r"one of: embedding/full\.yaml, loss/ranknet\.yaml, ranknet\.yaml"):
        find_config("xyzzy", configs)
