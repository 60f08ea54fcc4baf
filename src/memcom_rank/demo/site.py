"""Demo room (floor 4): the page with one bundle, as a folder that any web server can host: bundle -> folder.

    index.html, *.js, style.css, ...   the page of this room, as it is
    npm/                               onnxruntime-web and the font
    bundle/                            the bundle's files, which the page checks against its manifest's SHA-256
"""

import json
import shutil
from pathlib import Path

from memcom_rank.contract.errors import DemoError
from memcom_rank.contract.files import new_folder
from memcom_rank.demo.assets import npm_assets

PAGE = Path(__file__).parent / "page"


def write_site(bundle: Path, output: Path) -> None:
    """Write the page for `bundle` to the new folder `output`, whole or not at all.

    Raises:
        BundleError: the bundle is missing, damaged, or of another version.
        DemoError: `output` is already there, the bundle is for another runtime than onnx, or npm failed.
        WriteError: the disk is full or the place is not writable.
    """
    if output.exists():
        raise DemoError(
            f"'{output}' already exists",
            wanted="a new folder for the page",
            fix="choose another --output, or remove it first",
        )
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    if manifest["runtime"] != "onnx":
        raise DemoError(
            f"'{bundle}' is made for the runtime {manifest['runtime']}",
            wanted="a bundle for onnx, which runs in browsers",
            fix="export the same checkpoint with --format onnx",
        )
    npm = npm_assets()
    with new_folder(output, overwrite=False) as temporary:
        shutil.copytree(PAGE, temporary, dirs_exist_ok=True)
        shutil.copytree(npm, temporary / "npm")
        (temporary / "bundle").mkdir()
        for name in ("manifest.json", *manifest["files"]):
            shutil.copyfile(bundle / name, temporary / "bundle" / name)
