"""Export room (floor 4): what lies in a model's file. Takes an ONNX model -> gives bytes by part."""

import onnx

from memcom_rank.export.formats import PARTS


def bytes_by_part(model: onnx.ModelProto) -> dict[str, int]:
    """Return the bytes of the file: of the numbers of each part, and of the graph, which is all the rest."""
    sizes = dict.fromkeys(PARTS.values(), 0)
    for tensor in model.graph.initializer:
        part = PARTS.get(tensor.name.partition(".")[0])
        if part is not None:
            sizes[part] += len(tensor.raw_data)
    return {**sizes, "graph": model.ByteSize() - sum(sizes.values())}
