"""Export room (floor 4): ONNX, run by onnxruntime. See `formats.py`."""

from pathlib import Path
from typing import final

from memcom_rank.export.contents import bytes_by_part
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.formats import Format, Made, Probe, RankIds, held_by_part
from memcom_rank.export.onnx_model import onnx_model
from memcom_rank.runtime import Ranker

_IDLE = """\
import numpy, onnxruntime
from memcom_rank.runtime import Ranker
import memcom_rank.runtime.onnx_model
idle = {idle!r}
onnxruntime.InferenceSession(idle, providers=["CPUExecutionProvider"])
"""


@final
class OnnxFormat(Format):
    """See the base; histories of any length, many at once."""

    runtime = "onnx"
    file = "model.onnx"
    usual_history = None
    graph_bytes = 64 * 1024
    use = """\
```
pip install --no-deps ./memcom-rank   # a checkout of memcom-rank
pip install onnxruntime numpy
python -m memcom_rank rank BUNDLE --history "a game" "another game"
```

```python
from memcom_rank.runtime import Ranker

Ranker.load("BUNDLE").rank(["a game", "another game"], k=10)
```

`model.onnx` takes `history`, int64 [batch, length], and gives `ids` and `scores` [batch, k]."""

    def make(self, ranker: DeviceRanker) -> Made:
        """See the base."""
        model = onnx_model(ranker)
        held = sum(held_by_part(ranker).values())
        return Made(bytes(model.SerializeToString()), bytes_by_part(model), held)

    def open(self, folder: Path) -> RankIds:
        """See the base."""
        return Ranker.load(folder).rank_ids

    def probe(self) -> Probe:
        """See the base."""
        from memcom_rank.export.onnx_model import idle_model

        return Probe(_IDLE.format(idle=idle_model()), "rank = Ranker.load(sys.argv[1]).rank_ids")


FORMAT = OnnxFormat
