"""Export room (floor 4): LiteRT, run by ai-edge-litert. See `formats.py`."""

import contextlib
import io
import tempfile
import warnings
from pathlib import Path
from typing import final

import numpy as np
import torch

from memcom_rank.contract.errors import ExportError
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.formats import Floats, Format, Ints, Made, Probe, RankIds, held_by_part
from memcom_rank.export.plain_operators import Plain, plain_program
from memcom_rank.runtime import open_bundle

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import flatbuffers
    import litert_torch
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

_IDLE = """\
import warnings
warnings.simplefilter("ignore")
import numpy
from memcom_rank.export.litert_format import ranker_of
"""


@final
class LitertFormat(Format):
    """See the base; one history at a time, always of the same length: shorter ones are padded with 0."""

    runtime = "litert"
    file = "model.tflite"
    usual_history = 128
    graph_bytes = 256 * 1024
    use = """\
```
pip install ai-edge-litert numpy
```

```python
import numpy as np
from ai_edge_litert.interpreter import Interpreter

rank = Interpreter("BUNDLE/model.tflite").get_signature_runner()
found = rank(args_0=history)  # int32 [1, length], padded with 0 to its length
ids, scores = found["output_0"], found["output_1"]
```

The length is fixed: pad shorter histories with 0."""

    def make(self, ranker: DeviceRanker) -> Made:
        """See the base."""
        assert self.max_history is not None
        model, sizes = litert_model(ranker, self.max_history), held_by_part(Plain(ranker).ranker)
        held = sum(sizes.values())  # with steps in fp32, see `Plain`
        return Made(model, {**sizes, "graph": len(model) - held}, held)

    def open(self, folder: Path) -> RankIds:
        """See the base."""
        return ranker_of(folder)

    def probe(self) -> Probe:
        """See the base."""
        return Probe(_IDLE, "rank = ranker_of(sys.argv[1])")


def litert_model(ranker: torch.nn.Module, length: int) -> bytes:
    """Return a model: history int32 [1, length] -> what `ranker` gives, ids and scores.

    Raises:
        ExportError: there are fp16 numbers, which LiteRT does not look up.
    """
    held = Plain(ranker).ranker.state_dict().values()
    if any(tensor.dtype == torch.float16 and tensor.ndim for tensor in held):
        raise ExportError(
            "LiteRT looks up no fp16 numbers", wanted="tables of 32, 8, 4 or 2 bits", fix="choose other --bits"
        )
    example_1L = torch.full((1, length), 2, dtype=torch.int32)
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        torch.no_grad(),
    ):
        warnings.simplefilter("ignore")
        made = litert_torch.convert(plain_program(ranker, length).module(), (example_1L,), strict_export=False)
        made.export(f"{folder}/model.tflite")
        return _bare((Path(folder) / "model.tflite").read_bytes())


def _bare(data: bytes) -> bytes:
    """Return the model without the names of what lies between, long ones: of the functions that made them."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = b""
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def ranker_of(folder: str | Path) -> RankIds:
    """Return what ranks by the bundle in `folder`."""
    bundle = open_bundle(folder)
    length = bundle.manifest.max_history
    assert length is not None
    run = Interpreter(model_path=str(bundle.model_path), num_threads=1).get_signature_runner()

    def rank(history_1L: Ints) -> tuple[Ints, Floats]:
        padded_1L = np.zeros((1, length), np.int32)
        last_1L = history_1L[:, -length:]
        padded_1L[:, : last_1L.shape[1]] = last_1L
        found = run(args_0=padded_1L)
        return found["output_0"].astype(np.int64), found["output_1"]

    return rank


FORMAT = LitertFormat
