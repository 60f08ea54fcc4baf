"""Command line (floor 5): the name of a config -> its file, as given or shipped in `configs/`. No torch."""

import difflib
from pathlib import Path

from memcom_rank.contract.errors import ConfigError


def find_config(name: str, configs: Path) -> Path:
    """Return the file `name` as given, or inside `configs`.

    Raises:
        ConfigError: there is none.
    """
    for path in (Path(name), configs / name):
        if path.is_file():
            return path
    known = sorted(str(path.relative_to(configs)) for path in configs.rglob("*.yaml"))
    deep_first = sorted(known, key=lambda path: path.count("/"), reverse=True)
    stems = {Path(path).stem: path for path in deep_first}  # of two alike, the recipe
    near = [stems[stem] for stem in difflib.get_close_matches(Path(name).stem, stems, n=1)]
    raise ConfigError(
        f"no config '{name}', neither here nor in '{configs}'",
        wanted=f"a YAML file, or one of: {', '.join(known)}",
        fix=f"did you mean --config {near[0]} ?" if near else "check the name",
    )
