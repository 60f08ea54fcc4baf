"""Command demo (floor 5): a bundle's page in the browser: folder of a bundle -> a served page, or a folder to host."""

import tempfile
from pathlib import Path

from memcom_rank.demo import serve, write_site


def demo(bundle: Path, output: Path | None, port: int) -> str:
    """Write the page of `bundle` to `output`, or serve it until Ctrl-C where that is None; return what to print last.

    Raises:
        BundleError: the bundle is missing or damaged.
        DemoError: `output` is already there, the port is taken, npm failed, or the bundle is not for onnx.
        WriteError: a folder cannot be written.
    """
    if output is not None:
        write_site(bundle, output)
        return f"{output}: host this folder by https, or try it with: python -m http.server -d '{output}'"
    with tempfile.TemporaryDirectory(prefix="memcom-rank-") as place:
        write_site(bundle, Path(place) / "site")
        serve(Path(place) / "site", port=port, ready=_say)
    return "stopped"


def _say(address: str) -> None:
    print(f"{address}   open it in a browser; Ctrl-C stops", flush=True)
