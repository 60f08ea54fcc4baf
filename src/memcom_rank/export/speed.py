"""Export room (floor 4): what a bundle costs on this machine. Takes a bundle and histories -> gives times and memory.

Cold start and memory are those of a fresh process that has loaded the format's runtime, and no model yet.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from memcom_rank.export.formats import Probe, RankIds

_CALLS = 300
_PROBE = """\
import json, sys, time
def peak():  # not getrusage, which begins with the peak of the process that started this one
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return None
{idle}
before, began = peak(), time.perf_counter()
{load}
rank(numpy.array([json.load(sys.stdin)]))
print(json.dumps([time.perf_counter() - began, before and peak() - before]))
"""


class Speed(NamedTuple):
    """Of one user's ranking over the whole catalogue, on one thread.

    Attributes:
        p50, p95: seconds of a call.
        cold_start: seconds from opening a bundle to its first ranking.
        peak_bytes: of a process, above one with an idle runtime; None where the system does not tell.
    """

    p50: float
    p95: float
    cold_start: float
    peak_bytes: int | None


def speed(rank: RankIds, bundle: Path, probe: Probe, histories: Sequence[Sequence[int]]) -> Speed:
    """Measure a bundle.

    Args:
        rank: runs the bundle here.
        bundle: its folder.
        probe: runs it in a fresh process.
        histories: ids of users, none empty.
    """
    calls = [np.array([histories[call % len(histories)]], dtype=np.int64) for call in range(_CALLS)]
    seconds = []
    for history_1L in [*calls[:10], *calls]:
        began = time.perf_counter()
        rank(history_1L)
        seconds.append(time.perf_counter() - began)
    p50, p95 = np.quantile(seconds[10:], [0.5, 0.95])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    code = _PROBE.format(idle=probe.idle, load=probe.load)
    words = [sys.executable, "-c", code, str(bundle)]
    history = json.dumps(list(histories[0]))  # by its input: a long one does not fit on a command line
    ran = subprocess.run(words, check=True, input=history, capture_output=True, text=True, env=environment)
    cold_start, peak = json.loads(ran.stdout.splitlines()[-1])
    return Speed(float(p50), float(p95), cold_start, peak)
