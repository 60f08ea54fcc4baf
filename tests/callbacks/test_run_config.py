import yaml


def test_the_config_is_whole_and_plain(fitted):
    """Every value stands there, defaults too, and nothing that is filled in from elsewhere."""
    text = (fitted.folder / "config.yaml").read_text()
    config = yaml.safe_load(text)
    assert config["model"]["init_args"]["dim"] == 16
    assert config["trainer"]["precision"] == "32-true"
    assert config["trainer"]["accumulate_grad_batches"] == 1
    assert config["seed_everything"] == 1
    assert "num_ids" not in config["model"]["init_args"]
    assert "seed" not in config["data"]
    assert "!!python" not in text
