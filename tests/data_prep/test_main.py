import subprocess
import sys
from pathlib import Path


def test_python_m_returns_the_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "data_prep", "describe", str(tmp_path / "nowhere")]
    ran = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: no dataset at ")
