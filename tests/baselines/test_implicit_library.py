import subprocess
import sys

import pytest
import torch
from threadpoolctl import threadpool_info

from memcom_rank.baselines import Bpr, Ials, ItemKnn
from memcom_rank.baselines.implicit_library import history_matrix, library, owned_matrix
from memcom_rank.contract.errors import ConfigError
from tests.baselines.logs import IDS, USERS, play_log


def test_one_thread_inside_and_as_before_afterwards():
    def blas():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = blas()
    with library("utils") as module:
        assert set(blas()) == {1}
        assert module.check_random_state
    assert blas() == before


def test_matrices_hold_real_games_alone():
    rows, games, dense = play_log()
    assert (owned_matrix(rows, games, USERS, IDS).toarray() == dense[:, 2:].numpy()).all()
    history = torch.tensor([[3, 0, 5, 1], [0, 0, 0, 0], [10, 2, 0, 0]])
    found = history_matrix(history, IDS)
    assert found.shape == (3, IDS - 2)
    assert [sorted(found[row].indices + 2) for row in range(3)] == [[3, 5], [], [2, 10]]


@pytest.mark.parametrize("baseline", [ItemKnn("cosine", 3), Ials(2, 1.0, 2.0), Bpr(2, 0.1, 1)])
def test_without_the_package_the_error_says_what_to_install(baseline, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "implicit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "implicit", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[baselines\]'"):
        baseline.fit(*play_log()[:2], USERS, IDS)


@pytest.mark.slow
def test_the_room_loads_neither_implicit_nor_scipy():
    code = "import sys, memcom_rank.baselines; print({'implicit', 'scipy'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "set()"
