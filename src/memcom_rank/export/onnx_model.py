"""Export room (floor 4): a traced model as an ONNX file. Takes what a device runs -> gives bytes, and what is in them.

The file holds plain nodes and each weight once, in the bits it is stored in: nothing is folded that would make it
larger, and where a line of the trace came from is left out.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence

import onnx
import onnx_ir
import onnxscript.optimizer
import torch
from torch import nn

from memcom_rank.export.onnx_operators import translations

OPSET = 20
_FOLDED = 16  # numbers


def onnx_model(ranker: nn.Module, outputs: Sequence[str] = ("ids", "scores")) -> onnx.ModelProto:
    """Return a model: history [batch, length] int64 -> ids [batch, k] int64 and scores [batch, k] fp32.

    Args:
        ranker: a `DeviceRanker`, or for a measurement a part of one.
        outputs: names of what it gives.
    """
    free = torch.export.Dim.DYNAMIC
    example_BL = torch.tensor([[2, 0, 0], [2, 1, 0]])
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            ranker.eval(),
            (example_BL,),
            input_names=["history"],
            output_names=outputs,
            dynamic_shapes=({0: free, 1: free},),
            custom_translation_table=translations(),
            opset_version=OPSET,
            dynamo=True,
            optimize=False,
            external_data=False,
            verbose=False,
        )
        assert program is not None
        model = program.model
        # of shapes and the like: an unpacked table would stand beside the packed one
        onnxscript.optimizer.optimize(model, input_size_limit=_FOLDED, output_size_limit=_FOLDED)
    return bare(onnx_ir.to_proto(model))


def bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Leave out the trace's notes and the shapes of what lies between, and give short names."""
    graph = model.graph
    del graph.value_info[:], graph.metadata_props[:], model.metadata_props[:], model.functions[:]
    names = {one.name: one.name for one in (*graph.input, *graph.output, *graph.initializer)}
    for one in (*graph.input, *graph.output, *graph.initializer):
        one.doc_string = ""
        del one.metadata_props[:]
    for node in graph.node:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        for places in (node.input, node.output):
            places[:] = [names.setdefault(name, f"{len(names):x}") if name else "" for name in places]
    return model


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what the packages say about their own insides from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def idle_model() -> bytes:
    """Return a model that does nothing, to tell what a bundle costs from what onnxruntime costs."""
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "idle", ends[:1], ends[1:])
    opset = onnx.helper.make_opsetid("", OPSET)
    return bytes(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString())
