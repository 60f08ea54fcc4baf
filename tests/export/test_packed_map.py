import pytest
import torch

from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.export.packed_map import PackedMap


@pytest.mark.parametrize(("size", "columns"), [(2, 1), (7, 3), (256, 2), (1000, 1), (70_000, 2), (2**25, 1)])
def test_a_packed_map_is_the_map(size, columns):
    codes_VK = torch.randint(0, size, (37, columns))
    codes_VK[0], codes_VK[-1] = size - 1, 0
    id_map = IdMap(37, size, columns)
    id_map.set(codes_VK)
    packed = PackedMap(id_map.codes, size)
    for ids in (torch.tensor([[3, 36], [0, 3]]), torch.arange(37)):
        assert torch.equal(packed(ids), id_map(ids))
    for own, wanted in zip(packed.split(10, 1), id_map.split(10, 1), strict=True):
        assert torch.equal(own, wanted)
    assert packed.at_rest()["packed"].nbytes == id_map.at_rest()["codes"].nbytes


def test_a_lookup_reads_no_more_of_a_map_than_it_is_asked_for():
    packed = PackedMap(torch.arange(1000)[:, None], 1000)
    program = torch.export.export(packed, (torch.tensor([[3, 36, 999]]),))
    made = [node.meta.get("val") for node in program.graph.nodes if node.op == "call_function"]
    assert max(values.numel() for values in made if values is not None) <= 12
