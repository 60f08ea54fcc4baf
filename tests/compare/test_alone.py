import subprocess
import sys

import pytest

from memcom_rank.compare.alone import alone
from memcom_rank.contract.errors import ConfigError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is locked on Windows")


def test_one_at_a_time(tmp_path):
    with alone(tmp_path / "new"), pytest.raises(ConfigError, match="works in"), alone(tmp_path / "new"):
        pass
    with alone(tmp_path / "new"), alone(tmp_path / "other"):
        pass


def test_what_was_left_running_holds_the_folder(tmp_path):
    with alone(tmp_path) as inherited:
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=inherited)
    with pytest.raises(ConfigError, match="a run that a killed one left behind"), alone(tmp_path):
        pass
    process.communicate()
    with alone(tmp_path):
        pass
