import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from memcom_rank.runtime import BundleError
from memcom_rank.runtime.onnx_model import OnnxModel
from tests.runtime.bundles import NUM_GAMES, K, model_bytes, reference

HISTORIES = np.array([[3, 2, 0, 0], [2, 2, 1, 13], [0, 0, 0, 0], [5, 7, 9, 11]])


def load(tmp_path, content, num_games=NUM_GAMES, k=K):
    (tmp_path / "m.onnx").write_bytes(content)
    return OnnxModel(tmp_path / "m.onnx", num_games, k)


def test_it_ranks_as_loops_do(tmp_path):
    model = load(tmp_path, model_bytes(k=NUM_GAMES), k=NUM_GAMES)
    ids_BK, scores_BK = model(HISTORIES)
    assert (ids_BK.dtype, scores_BK.dtype) == (np.int64, np.float32)
    for row, history in enumerate(HISTORIES):
        wanted = reference(history.tolist(), k=NUM_GAMES)
        if history.any():
            assert ids_BK[row, : len(wanted)].tolist() == [game for game, _ in wanted]
        assert scores_BK[row, : len(wanted)] == pytest.approx([score for _, score in wanted], abs=1e-5)
        assert not ids_BK[row, len(wanted) :].any()
        assert (scores_BK[row, len(wanted) :] == -np.inf).all()


def test_a_file_is_read_as_onnx_whatever_its_name(tmp_path):
    (tmp_path / "m.ort").write_bytes(model_bytes())  # a name that means another format to onnxruntime
    assert OnnxModel(tmp_path / "m.ort", NUM_GAMES, K)(HISTORIES)[0].shape == (len(HISTORIES), K)


def test_it_runs_on_one_thread(tmp_path):
    options = load(tmp_path, model_bytes())._session.get_session_options()
    assert options.intra_op_num_threads == options.inter_op_num_threads == 1


def test_all_games_played(tmp_path):
    ids_BK, scores_BK = load(tmp_path, model_bytes())(np.arange(2, NUM_GAMES + 2)[None])
    assert not ids_BK.any()
    assert (scores_BK == -np.inf).all()


@pytest.mark.parametrize("content", [b"", b"\x08\x0a", b"ORTM" * 9, model_bytes()[:-9]])
def test_what_onnxruntime_refuses_is_a_named_error_and_prints_nothing(content, tmp_path, capfd):
    with pytest.raises(BundleError, match="onnxruntime refuses"):
        load(tmp_path, content)
    assert capfd.readouterr() == ("", "")


def test_an_operator_of_nobody(tmp_path):
    def edit(model):
        model.graph.node[0].op_type, model.graph.node[0].domain = "System", "evil"
        model.opset_import.append(helper.make_opsetid("evil", 1))

    with pytest.raises(BundleError, match="onnxruntime refuses"):
        load(tmp_path, model_bytes(edit=edit))


def rename(model):
    model.graph.input[0].name = "past"
    for node in model.graph.node:
        node.input[:] = ["past" if name == "history" else name for name in node.input]


def another_input(model):
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))


def one_output(model):
    del model.graph.output[1:]


def no_text(model):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "PLACEHOLDER"


@pytest.mark.parametrize("edit", [rename, another_input, one_output])
def test_other_inputs_and_outputs(edit, tmp_path):
    with pytest.raises(BundleError, match="the model is from"):
        load(tmp_path, model_bytes(edit=edit))


def test_names_that_are_no_text(tmp_path):
    content = model_bytes(edit=no_text)
    with pytest.raises(BundleError, match="refuses the model"):
        load(tmp_path, content.replace(b"PLACEHOLDER", b"PLACE\xffOLDER"))


def test_a_failing_run_is_a_named_error(tmp_path):
    model = load(tmp_path, model_bytes())
    with pytest.raises(BundleError, match=r"(?s)cannot run.*memory for 1 histories of length 1.*fewer or shorter"):
        model(np.array([[1 << 40]]))


def returning(tmp_path, ids, scores):
    """A model that returns these outputs, whatever the history: [1, K] each."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["i"], ["ids"]), helper.make_node("Identity", ["s"], ["scores"])],
        "constant",
        [helper.make_tensor_value_info("history", TensorProto.INT64, ["batch", "length"])],
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "k"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "k"]),
        ],
        [numpy_helper.from_array(np.array([ids]), "i"), numpy_helper.from_array(np.float32([scores]), "s")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return load(tmp_path, model.SerializeToString(), num_games=4, k=3)


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("history", "ids", "scores", "sound"),
    [
        ([[0]], [2, 4, 3], [3, 2, 2], True),
        ([[3, 3]], [5, 2, 4], [3, 2, 1], True),
        ([[3, 2]], [5, 4, 0], [3, 2, -INF], True),
        ([[3, 1]], [5, 4, 2], [3, 2, -4], True),
        ([[2, 3, 4, 5]], [0, 0, 0], [-INF] * 3, True),
        ([[0]], [2, 4, 2], [3, 2, 1], False),  # twice
        ([[2]], [2, 4, 3], [3, 2, 1], False),  # played
        ([[0]], [2, 4, 6], [3, 2, 1], False),  # of no catalogue
        ([[0]], [2, 4, 1], [3, 2, 1], False),
        ([[0]], [2, 4, -3], [3, 2, 1], False),
        ([[0]], [2, 4, 3], [1, 2, 0], False),  # not in order
        ([[0]], [2, 4, 3], [3, 2, NAN], False),
        ([[0]], [2, 4, 3], [INF, 2, 1], False),
        ([[0]], [2, 4, 3], [3, 2, -INF], False),
        ([[0]], [2, 4, 0], [3, 2, -INF], False),  # games are left
        ([[3, 2]], [5, 4, 2], [3, 2, 1], False),
        ([[3, 2]], [5, 4, 3], [3, 2, -INF], False),
        ([[3, 2]], [5, 4, 0], [3, 2, 1], False),
        ([[0], [0]], [2, 4, 3], [3, 2, 1], False),  # of one user
        ([[0]], [2, 4], [3, 2], False),  # of another width
    ],
)
def test_only_a_ranking_is_returned(history, ids, scores, sound, tmp_path):
    model = returning(tmp_path, ids, scores)
    if sound:
        assert model(np.array(history))[0].tolist() == [ids]
    else:
        with pytest.raises(BundleError, match="no ranking"):
            model(np.array(history))
