import pytest
from onnx import TensorProto, helper, numpy_helper

from memcom_rank.runtime import BundleError
from memcom_rank.runtime.onnx_file import check_onnx
from tests.runtime.bundles import TABLE, model_bytes


def check(tmp_path, content):
    (tmp_path / "m").write_bytes(content)
    check_onnx(tmp_path / "m")


def outside(tensor):
    """Say that the numbers of a tensor lie in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../x")
    return tensor


def tensor():
    return outside(numpy_helper.from_array(TABLE, "more"))


def sparse(model):
    made = helper.make_sparse_tensor(
        numpy_helper.from_array(TABLE[0], "v"), numpy_helper.from_array(TABLE[0], "i"), [9]
    )
    outside(made.indices)
    return made


def subgraph():
    return helper.make_graph([], "inner", [], [])


PLACES = {
    "initializer": lambda model: outside(model.graph.initializer[0]),
    "another graph, merged": lambda model: model.graph.initializer.append(tensor()),
    "sparse": lambda model: model.graph.sparse_initializer.append(sparse(model)),
    "attribute": lambda model: model.graph.node[0].attribute.append(helper.make_attribute("a", tensor())),
    "attributes": lambda model: model.graph.node[0].attribute.append(helper.make_attribute("a", [tensor()])),
    "sparse attribute": lambda model: model.graph.node[0].attribute.append(helper.make_attribute("a", sparse(model))),
}
NESTED = {
    "a graph inside": lambda model: model.graph.node[0].attribute.append(helper.make_attribute("a", subgraph())),
    "graphs inside": lambda model: model.graph.node[0].attribute.append(helper.make_attribute("a", [subgraph()])),
    "functions": lambda model: model.functions.append(
        helper.make_function("d", "f", [], [], [helper.make_node("Constant", [], ["x"], value_int=1)], [])
    ),
    "for training": lambda model: model.training_info.add().initialization.CopyFrom(subgraph()),
}


def test_a_whole_model_passes(tmp_path):
    check(tmp_path, model_bytes())
    check(tmp_path, b"".join([model_bytes(), model_bytes()]))  # of which protobuf makes one


@pytest.mark.parametrize("place", PLACES)
def test_numbers_elsewhere_are_found_wherever_a_tensor_may_be(place, tmp_path):
    with pytest.raises(BundleError, match="outside of its file"):
        check(tmp_path, model_bytes(edit=PLACES[place]))


@pytest.mark.parametrize("said", NESTED)
def test_there_is_one_graph(said, tmp_path):
    """Onnxruntime puts functions in the place of their calls by recursion, and 3,000 of them in a row kill it."""
    with pytest.raises(BundleError, match=said):
        check(tmp_path, model_bytes(edit=NESTED[said]))


@pytest.mark.parametrize("field", ["data_location", "external_data"])
def test_half_a_reference_is_one(field, tmp_path):
    def edit(model):
        if field == "data_location":
            model.graph.initializer[0].data_location = TensorProto.EXTERNAL
        else:
            model.graph.initializer[0].external_data.add(key="location", value="x")

    with pytest.raises(BundleError, match="outside of its file"):
        check(tmp_path, model_bytes(edit=edit))


def test_numbers_in_their_place_may_say_so(tmp_path):
    def edit(model):
        model.graph.initializer[0].data_location = TensorProto.DEFAULT

    check(tmp_path, model_bytes(edit=edit))


def varint(value, *, pad=0):
    digits = []
    while value >= 128 or pad:
        digits.append(value % 128 | 128)
        value, pad = value // 128, max(pad - 1, 0)
    return bytes([*digits, value])


def field(number, content, *, pad=0):
    return varint(number << 3 | 2, pad=pad) + varint(len(content), pad=pad) + content


@pytest.mark.parametrize("pad", [0, 1, 3])
def test_numbers_may_be_written_longer_than_they_need(pad, tmp_path):
    reference = field(13, b"", pad=pad)
    with pytest.raises(BundleError, match="outside of its file"):
        check(tmp_path, field(7, field(5, reference, pad=pad), pad=pad))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x3a\x05abc",  # a field that ends behind the file
        b"\x3b",  # a group
        b"\x3a\xff",  # a size without an end
        b"\xff" * 12,
        b"\x39abc",
        b"\x3dabc",
        varint(7 << 3 | 2 | 1 << 32) + b"\x00",  # protobuf would cut the field number to 7
        field(7, field(5, b"\x0a\x09")),
    ],
    ids=repr,
)
def test_what_is_no_message(content, tmp_path):
    with pytest.raises(BundleError, match="no ONNX model"):
        check(tmp_path, content)


def test_fields_of_no_interest_are_stepped_over(tmp_path):
    check(tmp_path, b"\x08\x0a" + b"\x11" + bytes(8) + b"\x15" + bytes(4) + field(99, b"\xff" * 9))
    check(tmp_path, varint(7 << 3) + b"\x7f")  # a graph's number with a plain value


def test_no_file(tmp_path):
    with pytest.raises(BundleError, match="no ONNX model"):
        check_onnx(tmp_path / "nowhere")
