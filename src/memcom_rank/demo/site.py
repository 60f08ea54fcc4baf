"""Demo room (floor 4): the page with one bundle, as a folder that any web server can host: bundle -> folder.

index.html, *.js, style.css, ...   the page of this room, as it is
npm/                               onnxruntime-web and the font
bundle/                            the bundle's files, which the page checks against its manifest's SHA-256
"""

import shutil
from pathlib import Path

from memcom_rank.contract.errors import DemoError
from memcom_rank.contract.files import new_folder
from memcom_rank.demo.assets import npm_assets
from memcom_rank.runtime import open_bundle

PAGE = Path(__file__).parent / "page"


def write_site(path: Path, output: Path) -> None:
    """Write the page for the bundle at `path` to the new folder `output`, whole or not at all.

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
    bundle = open_bundle(path)
    if bundle.manifest.runtime != "onnx":
        raise DemoError(
            f"'{path}' is made for the runtime {bundle.manifest.runtime}",
            wanted="a bundle for onnx, which runs in browsers",
            fix="export the same checkpoint with --format onnx",
        )
    npm = npm_assets()
    with new_folder(output, overwrite=False) as temporary:
        shutil.copytree(PAGE, temporary, dirs_exist_ok=True)
        shutil.copytree(npm, temporary / "npm")
        (temporary / "bundle").mkdir()
        shutil.copyfile(path / "manifest.json", temporary / "bundle" / "manifest.json")
        for name in bundle.manifest.files:
            (temporary / "bundle" / name).write_bytes(bundle.read(name))
