"""Export room (floor 4): Core ML, which is made anywhere and runs on Apple's systems alone. See `formats.py`."""

import io
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import final

import torch

from memcom_rank.contract.errors import ExportError
from memcom_rank.export.device import DeviceRanker
from memcom_rank.export.formats import Format, Made, Probe, held_by_part
from memcom_rank.export.plain_operators import Plain, plain_program

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import coremltools

_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's earliest: the same model, the same bytes


@final
class CoremlFormat(Format):
    """See the base; one history at a time, always of the same length: shorter ones are padded with 0."""

    runtime = "coreml"
    file = "model.mlpackage.zip"
    usual_history = 128
    graph_bytes = 256 * 1024
    use = """\
Unpack `model.mlpackage.zip` and add the package to an app for iOS 18 or macOS 15: its input is an int32 array
[1, length], padded with 0 to its length, its outputs are `ids` and `scores`.

Its predictions are **not measured**: it was converted on a system that cannot run Core ML. Compare a few rankings with
those of an ONNX bundle of the same run before you ship it."""

    def make(self, ranker: DeviceRanker) -> Made:
        """See the base."""
        assert self.max_history is not None
        model, sizes = coreml_model(ranker, self.max_history, ["ids", "scores"]), held_by_part(Plain(ranker).ranker)
        held = sum(sizes.values())  # with steps in fp32, see `Plain`
        return Made(model, {**sizes, "graph": len(model) - held}, held)

    def open(self, folder: Path) -> None:
        """See the base: nothing runs it here."""

    def probe(self) -> Probe:
        """See the base."""
        raise AssertionError("what does not run is not measured")


def coreml_model(ranker: torch.nn.Module, length: int, outputs: list[str]) -> bytes:
    """Return a zipped package: history int32 [1, length] -> what `ranker` gives, named `outputs`.

    Raises:
        ExportError: coremltools does not convert it.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = plain_program(ranker, length)
        try:
            made = coremltools.convert(
                program,
                outputs=[coremltools.TensorType(name=name) for name in outputs],
                minimum_deployment_target=coremltools.target.iOS18,
                compute_precision=coremltools.precision.FLOAT32,
                skip_model_load=True,
            )
        except (ValueError, TypeError, RuntimeError, NotImplementedError, AssertionError) as error:
            raise ExportError(
                f"coremltools does not convert this model: {next(iter(str(error).splitlines()), type(error).__name__)}",
                wanted="a technique and a matcher that docs/export.md says it converts",
                fix="--format onnx or executorch",
            ) from error
        package = Path(folder) / "model.mlpackage"
        made.save(str(package))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(package.rglob("*")):
                if path.is_file() and path.name != "executorch_debug_handle_mapping.json":
                    name = str(path.relative_to(folder))
                    archive.writestr(zipfile.ZipInfo(name, _EPOCH), path.read_bytes())
        return packed.getvalue()


FORMAT = CoremlFormat
