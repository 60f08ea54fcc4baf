"""Export room (floor 4): a traced model as a file of ExecuTorch. Takes what a device runs -> gives a program.

The file holds portable operations and each weight once, in the bits it is stored in. No backend takes a part of it:
XNNPACK keeps a copy of its own of every table that it multiplies by, and the lookups need theirs.
"""

import copy
import warnings
from typing import Any

import torch
from torch import nn

from memcom_rank.export.executorch_operators import flipped, translations
from memcom_rank.export.parts import PackedRows

with warnings.catch_warnings():  # see executorch_operators.py
    warnings.simplefilter("ignore")
    from executorch.exir import EdgeCompileConfig, to_edge

_KEPT = (torch.ops.aten.linear.default,)  # its kernel reads a table as it lies; `mm` would copy it turned over


def executorch_model(ranker: nn.Module, max_history: int) -> bytes:
    """Return a program: history [1, length] int64, length 1 to `max_history` -> what `ranker` gives, ids and scores.

    Args:
        ranker: a `DeviceRanker`, or for a measurement a part of one.
        max_history: the longest history; memory is set aside for it.
    """
    made = copy.deepcopy(ranker).eval()
    for part in made.modules():
        if isinstance(part, PackedRows):
            part.codes_MB = flipped(part.codes_MB)
    example_1L = torch.full((1, min(3, max_history)), 2)
    length = torch.export.Dim("length", min=1, max=max_history) if max_history > 1 else None
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(made, (example_1L,), dynamic_shapes=({1: length} if length else None,))
        usual: dict[Any, Any] = torch.export.default_decompositions()
        usual = {operation: said for operation, said in usual.items() if operation not in _KEPT}
        program = program.run_decompositions({**usual, **translations()})
        config = EdgeCompileConfig(_check_ir_validity=False, preserve_ops=list(_KEPT))  # to_edge appends to it
        return bytes(to_edge(program, compile_config=config).to_executorch().buffer)
