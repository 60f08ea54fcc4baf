import pytest
import torch
from torch import nn

from memcom_rank.export.unfolded import unfold


class Counted(nn.Module):
    """Reads all of a table, some of it, and counts."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table_M", torch.randn(700))

    def forward(self, history_1L):
        return self.table_M * 2 + torch.arange(5, 705), self.table_M.index_select(0, history_1L[0])


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of torch, about its own insides
def test_nothing_is_left_that_depends_on_no_input_and_the_answers_are_the_same():
    module, history_1L = Counted(), torch.tensor([[3, 0, 699]], dtype=torch.int32)
    program = torch.export.export(module, (history_1L,)).run_decompositions()
    unfold(program)
    program.graph.lint()
    for found, wanted in zip(program.module()(history_1L), module(history_1L), strict=True):
        assert torch.equal(found, wanted)
    history = program.graph_signature.user_inputs[0]
    known = {node for node in program.graph.nodes if node.op == "placeholder" and node.name != history}
    for node in program.graph.nodes:  # what a converter would compute ahead
        if node.op == "call_function" and known.issuperset(node.all_input_nodes):
            known.add(node)
            assert node.meta["val"].numel() <= 256
