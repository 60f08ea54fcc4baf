"""Demo room (floor 4): what the page takes from npm packages, installed once: package-lock.json -> a folder of files.

onnxruntime-web's WebAssembly build and a font. The lock file pins versions and checksums, which `npm ci` checks; no
script of a package runs. The folder lies in the user's cache under the lock file's hash, so that it is made again only
when the lock changes, and pages are built without network from then on.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from memcom_rank.contract.errors import DemoError
from memcom_rank.contract.files import new_folder

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
_ORT, _FONT = "onnxruntime-web/dist", "@fontsource-variable/instrument-sans"
TAKEN = {  # name beside the page -> path in node_modules
    "ort.mjs": f"{_ORT}/ort.wasm.bundle.min.mjs",
    "ort-wasm-simd-threaded.wasm": f"{_ORT}/ort-wasm-simd-threaded.wasm",
    "font-latin.woff2": f"{_FONT}/files/instrument-sans-latin-wght-normal.woff2",
    "font-latin-ext.woff2": f"{_FONT}/files/instrument-sans-latin-ext-wght-normal.woff2",
    "font-LICENSE.txt": f"{_FONT}/LICENSE",
}


def npm_assets() -> Path:
    """Return the folder with the files of `TAKEN`, after `npm ci` where it is not there yet.

    Raises:
        DemoError: npm is absent, or could not install (no network, a checksum that differs).
        WriteError: the cache folder cannot be written.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "memcom-rank" / f"npm-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    if all((folder / name).is_file() for name in TAKEN):
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise DemoError(
            "npm was not found",
            wanted="npm, which installs the page's onnxruntime-web once",
            fix="install Node.js with npm (apt-get install npm, brew install node), then try again",
        )
    with tempfile.TemporaryDirectory() as place, new_folder(folder, overwrite=True) as temporary:
        modules = _installed(npm, Path(place))
        for name, path in TAKEN.items():
            shutil.copyfile(modules / path, temporary / name)
    return folder


def _installed(npm: str, place: Path) -> Path:
    """Run `npm ci` in `place` and return its node_modules."""
    for name in ("package.json", LOCK.name):
        shutil.copyfile(HERE / name, place / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=place, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith(("npm error", "npm ERR!"))]
        raise DemoError(
            f"`npm ci` failed with exit code {done.returncode}: " + ("\n    ".join(said[:5]) or done.stderr.strip()),
            wanted="the packages of package-lock.json",
            fix="look at npm's words above; it needs its registry the first time, and nothing from then on",
        )
    return place / "node_modules"
