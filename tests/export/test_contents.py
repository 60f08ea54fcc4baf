import numpy as np
from onnx import TensorProto, helper, numpy_helper

from memcom_rank.export.contents import bytes_by_part


def test_every_byte_of_the_file_is_of_one_part():
    numbers = {
        "embedding.rows.codes_MB": np.zeros((3, 8), np.uint8),
        "embedding.rows.step_M": np.ones(3, np.float16),
        "bias.values_N": np.ones(5, np.float32),
        "match.gain": np.ones(2, np.float32),
        "7f": np.array([1, 2]),
    }
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    held = [numpy_helper.from_array(values, name) for name, values in numbers.items()]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:], held)
    model = helper.make_model(graph)
    sizes = bytes_by_part(model)
    assert (sizes["embedding"], sizes["bias"], sizes["matcher"]) == (30, 20, 8)
    assert sum(sizes.values()) == len(model.SerializeToString())
