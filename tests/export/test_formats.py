import sys

import pytest

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings import DeepHash, MEmCom
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.formats import EXTRAS, format_of, held_by_part
from tests.export.rankers import DIM, NUM_IDS, ranker


def test_onnx_takes_histories_of_any_length():
    assert format_of("onnx").max_history is None
    with pytest.raises(ConfigError, match="any length"):
        format_of("onnx", 5)


def test_a_history_has_a_limit_that_a_manifest_can_say():
    with pytest.raises(ConfigError, match="at most 1048576"):
        format_of("executorch", (1 << 20) + 1)


@pytest.mark.parametrize("name", EXTRAS)
def test_without_its_packages_it_says_what_to_install(name, monkeypatch):
    monkeypatch.setitem(sys.modules, f"memcom_rank.export.{name}_format", None)
    with pytest.raises(ConfigError) as caught:
        format_of(name)
    assert caught.value.fix == f"pip install -e '.[{EXTRAS[name]}]'"


def test_numbers_that_could_be_computed_again_are_held():
    stored = DeepHash(NUM_IDS, DIM, target_ratio=1.01, num_hashes=7)
    held = held_by_part(DeviceRanker(ranker(stored), bits=32, k=3))
    assert held["embedding"] == stored.num_bytes + 3 * 7 * 8


def test_all_numbers_are_of_one_part():
    device = DeviceRanker(ranker(MEmCom(NUM_IDS, DIM, target_ratio=2)), bits=32, k=3)
    sizes = held_by_part(device)
    assert sizes["bias"] == 4 * NUM_IDS
    assert sum(sizes.values()) == sum(tensor.nbytes for tensor in device.state_dict().values())
