"""Export room (floor 4): a trace of which nothing can be folded. Takes a trace -> changes it in place.

A converter computes ahead what does not depend on the input, and writes it beside what it was computed of: a packed
map once more as 4 bytes a game, a table of few bits as fp32. So stored numbers are read by row numbers to which the
history adds 0.
"""

from typing import Any

import torch
from torch.fx import Node

_aten = torch.ops.aten
_READS = (_aten.linear.default, _aten.index_select.default, _aten._assert_tensor_metadata.default)
_ROUND = 256


def unfold(program: torch.export.ExportedProgram) -> None:
    """Make what is computed of stored numbers alone depend on the history, int32 [1, length], the only input.

    A table that `linear` multiplies by, or that is looked up, is left as it lies.
    """
    graph = program.graph
    inputs = {node.name: node for node in graph.nodes if node.op == "placeholder"}
    stored = [inputs[name] for name in program.graph_signature.inputs_to_buffers]
    counts = [node for node in graph.nodes if node.target is _aten.arange.start_step]
    with graph.inserting_before(next(node for node in graph.nodes if node.op != "placeholder")):
        write = _Writer(graph, inputs[program.graph_signature.user_inputs[0]])
        for table in stored:
            readers = [node for node in table.users if node.target not in _READS]
            if readers and table.meta["val"].ndim:
                read = write(_aten.index_select.default, table, 0, write.count(0, len(table.meta["val"]), torch.int32))
                for node in readers:
                    node.replace_input_with(table, read)
        for count in counts:
            dtype = count.meta["val"].dtype if count.meta["val"].dtype is torch.int64 else torch.int32
            first, end, *_ = count.args
            count.replace_all_uses_with(write.count(first, end, dtype))
            graph.erase_node(count)


class _Writer:
    """Adds nodes to a graph, their shapes and types known."""

    def __init__(self, graph: torch.fx.Graph, history: Node) -> None:
        self.graph, self.mode = graph, history.meta["val"].fake_mode
        first_1 = self(_aten.view.default, self(_aten.slice.Tensor, history, 1, 0, 1), [1])
        nothing_1 = self(_aten.mul.Tensor, self(_aten._to_copy.default, first_1, dtype=torch.float32), 0.0)
        self.nothing_1 = self(_aten._to_copy.default, nothing_1, dtype=torch.int32)

    def __call__(self, target: Any, *args: Any, **options: Any) -> Node:
        node = self.graph.call_function(target, args, options)
        with self.mode:
            values = [arg.meta["val"] if isinstance(arg, Node) else arg for arg in args]
            node.meta["val"] = target(*values, **options)
        return node

    def count(self, first: int, end: int, dtype: torch.dtype) -> Node:
        """Count from `first` to below `end`, as rounds of 256: a list of all numbers would be in the file."""
        rounds, length = -(-(end - first) // _ROUND), min(end - first, _ROUND)
        starts_R = self(_aten.add.Tensor, self._range(0, rounds), self.nothing_1)
        starts_R1 = self(_aten.view.default, self(_aten.mul.Tensor, starts_R, _ROUND), [rounds, 1])
        within_1T = self(_aten.view.default, self._range(first, first + length), [1, -1])
        numbers_N = self(_aten.view.default, self(_aten.add.Tensor, starts_R1, within_1T), [-1])
        return self(_aten._to_copy.default, self(_aten.slice.Tensor, numbers_N, 0, 0, end - first), dtype=dtype)

    def _range(self, first: int, end: int) -> Node:
        return self(_aten.arange.start_step, first, end, dtype=torch.int32)
