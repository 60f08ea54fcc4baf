"""A slow, plain reader of Core ML's programs, which run on Apple's systems alone: its operations in numpy.

Whole numbers have 32 bits there, and indices must be whole: both are checked at every operation. coremltools reads the
file, no more: neither its converter's inference nor its passes take part.
"""

import io
import tempfile
import zipfile

import numpy as np


def _topk(of):
    order = np.argsort(-of["x"], axis=of["axis"], kind="stable")[..., : of["k"]]
    return [np.take_along_axis(of["x"], order, of["axis"]), order.astype(np.int32)]


def _gather(of):
    assert of["batch_dims"] == 0
    assert of["indices"].dtype.kind in "iu"
    assert ((of["indices"] >= 0) & (of["indices"] < of["x"].shape[of["axis"]])).all()
    return np.take(of["x"], of["indices"], axis=of["axis"])


def _scatter(of):
    assert of["mode"] == "update"
    assert of["indices"].dtype == np.int32
    made = of["data"].copy()
    np.put_along_axis(made, of["indices"], of["updates"], of["axis"])
    return made


def _slice(of):
    x, rank = of["x"], of["x"].ndim
    end_mask, squeeze = of.get("end_mask", [False] * rank), of.get("squeeze_mask", [False] * rank)
    ends = [None if open_end else end for end, open_end in zip(of["end"], end_mask, strict=True)]
    made = x[tuple(slice(*pair) for pair in zip(of["begin"], ends, strict=True))]
    return made.squeeze(tuple(axis for axis in range(rank) if squeeze[axis]))


def _softmax(of):
    powers = np.exp(of["x"] - of["x"].max(of["axis"], keepdims=True))
    return powers / powers.sum(of["axis"], keepdims=True)


def _turned(values, turn):
    return values.swapaxes(-1, -2) if turn else values


def _over(how):
    return lambda of: how(of["x"], axis=tuple(of["axes"]), keepdims=bool(of["keep_dims"]))


def _pair(how):
    def done(of):
        assert of["x"].dtype == of["y"].dtype
        return how(of["x"], of["y"])

    return done


_DTYPES = {"fp32": np.float32, "fp16": np.float16, "int32": np.int32, "int8": np.int8, "bool": np.bool_}
_SAID = {
    **{name: _pair(getattr(np, name)) for name in ("equal", "not_equal", "greater", "greater_equal", "less")},
    "less_equal": _pair(np.less_equal),
    "add": _pair(np.add),
    "sub": _pair(np.subtract),
    "mul": _pair(np.multiply),
    "pow": _pair(np.power),
    "real_div": _pair(np.divide),
    "floor_div": _pair(np.floor_divide),
    "logical_and": _pair(np.logical_and),
    "cast": lambda of: of["x"].astype(_DTYPES[of["dtype"]]),
    "concat": lambda of: np.concatenate(of["values"], axis=of["axis"]),
    "exp": lambda of: np.exp(of["x"]),
    "expand_dims": lambda of: np.expand_dims(of["x"], tuple(of["axes"])),
    "fill_like": lambda of: np.full_like(of["ref_tensor"], of["value"], dtype=np.asarray(of["value"]).dtype),
    "floor": lambda of: np.floor(of["x"]),
    "gather": _gather,
    "linear": lambda of: of["x"] @ of["weight"].T + of["bias"],
    "log": lambda of: np.log(of["x"] + of["epsilon"]),
    "matmul": lambda of: _turned(of["x"], of["transpose_x"]) @ _turned(of["y"], of["transpose_y"]),
    "maximum": _pair(np.maximum),
    "minimum": _pair(np.minimum),
    "reduce_max": _over(np.max),
    "reduce_mean": _over(np.mean),
    "reduce_sum": _over(np.sum),
    "relu": lambda of: np.maximum(of["x"], 0),
    "reshape": lambda of: of["x"].reshape(of["shape"]),
    "rsqrt": lambda of: 1 / np.sqrt(of["x"] + of["epsilon"]),
    "scatter_along_axis": _scatter,
    "select": lambda of: np.where(of["cond"], of["a"], of["b"]),
    "sigmoid": lambda of: 1 / (1 + np.exp(-of["x"])),
    "slice_by_index": _slice,
    "softmax": _softmax,
    "squeeze": lambda of: of["x"].squeeze(tuple(of["axes"])),
    "stack": lambda of: np.stack(of["values"], axis=of["axis"]),
    "tanh": lambda of: np.tanh(of["x"]),
    "tile": lambda of: np.tile(of["x"], of["reps"]),
    "topk": _topk,
    "transpose": lambda of: of["x"].transpose(of["perm"]),
}


class Package:
    """A zipped package, to be run, and its stored numbers by name."""

    def __init__(self, data):
        import coremltools
        from coremltools.converters.mil.frontend.milproto.load import load

        with tempfile.TemporaryDirectory() as folder:
            zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
            package = f"{folder}/model.mlpackage"
            spec = coremltools.utils.load_spec(package)
            program = load(spec, spec.specificationVersion, f"{package}/Data/com.apple.CoreML/weights")
        self.main = program.functions["main"]
        self.numbers = {
            op.outputs[0].name: np.asarray(op.outputs[0].val) for op in self.main.operations if op.op_type == "const"
        }

    def run(self, history_1L):
        """Return the outputs, in turn, for a history int32 [1, length]."""
        known = {next(iter(self.main.inputs)): history_1L}

        def value(var):
            if isinstance(var, list | tuple):
                return [value(one) for one in var]
            if var.name in known:
                return known[var.name]
            assert var.op.op_type == "const", var.op.op_type
            return var.val

        for op in self.main.operations:
            if op.op_type == "const":
                continue
            of = {name: value(var) for name, var in op.inputs.items() if var is not None}
            if op.op_type in ("add", "sub", "mul") and np.asarray(of["x"]).dtype == np.int32:
                exact = _SAID[op.op_type]({"x": np.int64(of["x"]), "y": np.int64(of["y"])})
                assert (np.abs(exact) < 2**31).all(), f"{op.name} has more than 32 bits"
            with np.errstate(divide="ignore", invalid="ignore"):
                made = _SAID[op.op_type](of)
            for output, values in zip(op.outputs, made if op.op_type == "topk" else [made], strict=True):
                assert tuple(np.shape(values)) == tuple(output.shape), op.name
                known[output.name] = values
        return [known[output.name] for output in self.main.outputs]
