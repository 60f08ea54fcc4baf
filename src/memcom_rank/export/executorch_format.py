"""Export room (floor 4): ExecuTorch, run by its own Python runtime. See `formats.py`."""

import warnings
from pathlib import Path
from typing import final

import numpy as np
import torch

from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.executorch_model import executorch_model
from memcom_rank.export.formats import Floats, Format, Ints, Made, Probe, RankIds, held_by_part
from memcom_rank.runtime import open_bundle

with warnings.catch_warnings():  # see executorch_operators.py
    warnings.simplefilter("ignore")
    from executorch.runtime import Runtime

_IDLE = """\
import warnings
warnings.simplefilter("ignore")
import numpy, torch
import executorch.kernels.quantized
from executorch.runtime import Runtime
import memcom_rank.runtime
from memcom_rank.export.executorch_format import ranker_of
Runtime.get()
"""


@final
class ExecutorchFormat(Format):
    """See the base; one history at a time, of any length up to a limit, for which memory is set aside."""

    runtime = "executorch"
    file = "model.pte"
    usual_history = 512
    graph_bytes = 256 * 1024
    use = """\
```
pip install executorch
```

```python
import executorch.kernels.quantized
import torch
from executorch.runtime import Runtime

rank = Runtime.get().load_program("BUNDLE/model.pte").load_method("forward")
ids, scores = rank.execute([torch.tensor([[2, 7, 31]])])
```

`model.pte` takes one history, int64 [1, length], and gives ids and scores [1, k]. On a device, link ExecuTorch's
portable and quantized kernels."""

    def make(self, ranker: DeviceRanker) -> Made:
        """See the base."""
        assert self.max_history is not None
        program, sizes = executorch_model(ranker, self.max_history), held_by_part(ranker)
        held = sum(sizes.values())
        return Made(program, {**sizes, "graph": len(program) - held}, held)

    def open(self, folder: Path) -> RankIds:
        """See the base."""
        return ranker_of(folder)

    def probe(self) -> Probe:
        """See the base."""
        return Probe(_IDLE, "rank = ranker_of(sys.argv[1])")


def ranker_of(folder: str | Path) -> RankIds:
    """Return what ranks by the bundle in `folder`."""
    bundle = open_bundle(folder)
    longest = bundle.manifest.max_history
    assert longest is not None
    method = Runtime.get().load_program(bundle.model_path).load_method("forward")

    def rank(history_1L: Ints) -> tuple[Ints, Floats]:
        ids_1K, scores_1K = method.execute([torch.from_numpy(np.ascontiguousarray(history_1L[:, -longest:]))])
        return ids_1K.numpy(), scores_1K.numpy()

    return rank


FORMAT = ExecutorchFormat
