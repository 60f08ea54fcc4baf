import numpy as np
import pytest
import torch

from memcom_rank.embeddings.hashing import hash_constants, polynomial_hash
from memcom_rank.embeddings.quantise import dequantise
from memcom_rank.export.onnx_model import quiet
from memcom_rank.export.onnx_operators import translations
from memcom_rank.export.operators import packed_dots, packed_rows
from memcom_rank.export.packing import pack_rows
from tests.export.rankers import session

pytestmark = pytest.mark.slow  # a trace takes seconds
SHAPES = {(bits, width): None for bits in (1, 2, 3, 4, 8) for width in (1, 40)}
ROWS = 11


class Tables(torch.nn.Module):
    """All widths and bits in one graph, and a hash."""

    def __init__(self):
        super().__init__()
        self.tables = {}
        for bits, width in SHAPES:
            codes_MW = torch.randint(0, 1 << bits, (ROWS, width), dtype=torch.uint8)
            step_M = (torch.rand(ROWS) + 0.1).half()
            self.tables[bits, width] = dequantise(codes_MW, step_M[:, None], bits)
            self.register_buffer(f"codes_{bits}_{width}", pack_rows(codes_MW, bits))
            self.register_buffer(f"step_{bits}_{width}", step_M)

    def forward(self, queries_BW, rows_BL, ids_BL):
        found = []
        for bits, width in SHAPES:
            held = getattr(self, f"codes_{bits}_{width}"), getattr(self, f"step_{bits}_{width}")
            found += [packed_rows(*held, rows_BL, bits, width), packed_dots(*held, queries_BW[:, :width], bits)]
        return (*found, polynomial_hash(ids_BL, hash_constants(3), 500_009))


def test_in_onnxruntime_they_are_what_they_are_in_torch():
    tables, free = Tables().eval(), torch.export.Dim.DYNAMIC
    examples = torch.randn(2, 40), torch.zeros(2, 3, dtype=torch.int32), torch.zeros(2, 3, dtype=torch.int64)
    with quiet():
        program = torch.onnx.export(
            tables,
            examples,
            input_names=["queries", "rows", "ids"],
            dynamic_shapes=({0: free}, {0: free, 1: free}, {0: free, 1: free}),
            custom_translation_table=translations(),
            opset_version=20,
            dynamo=True,
            optimize=False,
            verbose=False,
        )
    queries_BW, rows_BL = torch.randn(3, 40), torch.randint(0, ROWS, (4, 5), dtype=torch.int32)
    ids_BL = torch.tensor([[1, 2, 41, 65_537, 2_147_483, 499_999_999, 2**31 - 1]])
    *found, hashes = session(program.model_proto).run(
        None, {"queries": queries_BW.numpy(), "rows": rows_BL.numpy(), "ids": ids_BL.numpy()}
    )
    for place, (_, width) in enumerate(SHAPES):
        table_MW = tables.tables[list(SHAPES)[place]].numpy()
        np.testing.assert_array_equal(found[2 * place], table_MW[rows_BL.numpy()])
        wanted = queries_BW[:, :width].double().numpy() @ table_MW.T.astype(np.float64)
        scale = np.abs(queries_BW[:, :width].numpy()) @ np.abs(table_MW.T)
        assert (np.abs(found[2 * place + 1] - wanted) <= 2e-6 * scale).all()
    a, b, c = hash_constants(3)
    wanted = [((a * id_ + b) % (2**31 - 1) * id_ + c) % (2**31 - 1) % 500_009 for id_ in ids_BL[0].tolist()]
    assert hashes[0].tolist() == wanted
