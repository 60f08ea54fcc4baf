"""A technique has an export line, a conformance row, an overlay and a docs row: a missing one fails here."""

import inspect
import re
from pathlib import Path

import pytest
import yaml

import memcom_rank.embeddings as room
from memcom_rank.embeddings import CompressedEmbedding
from tests.embeddings.techniques import DIM, NUM_IDS, TECHNIQUES

ROOT = Path(__file__).parents[2]
EXPORTED = {
    name: kind
    for name, kind in vars(room).items()
    if inspect.isclass(kind) and issubclass(kind, CompressedEmbedding) and kind is not CompressedEmbedding
}


def _subclasses(kind: type) -> set[type]:
    return {kind}.union(*(_subclasses(below) for below in kind.__subclasses__()))


def test_every_technique_of_the_room_is_exported():
    final = {kind for kind in _subclasses(CompressedEmbedding) if kind.__module__.startswith(room.__name__ + ".")}
    assert {kind for kind in final if not inspect.isabstract(kind)} == set(EXPORTED.values())
    modules = {path.stem for path in Path(room.__file__).parent.glob("*.py")}
    assert {kind.__module__.rsplit(".", 1)[1] for kind in EXPORTED.values()} == modules - {
        "__init__", "base", "bag", "block_top_k", "budget", "clustering", "hashing", "id_map", "low_bit_rows",
        "low_bit_scalars", "own_rows", "prefixes", "product_codes", "quantise", "row_pair", "row_sum", "shared_rows",
        "spread", "stacked_rows", "tables", "top_k"
    }  # fmt: skip


@pytest.mark.parametrize("name", EXPORTED)
def test_every_technique_is_final_and_has_a_conformance_row(name):
    assert EXPORTED[name].__final__
    assert any(isinstance(row.make(NUM_IDS, DIM), EXPORTED[name]) for row in TECHNIQUES.values())


def test_every_overlay_is_a_technique_and_names_every_knob():
    overlays = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "configs/embedding").glob("*.yaml")}
    assert set(overlays) == {row.overlay for row in TECHNIQUES.values()}
    seen = {}
    for overlay in overlays.values():
        assert list(overlay) == ["model"]
        assert list(overlay["model"]["init_args"]) == ["embedding"]
        technique = overlay["model"]["init_args"]["embedding"]
        seen[technique["class_path"]] = set(technique["init_args"])
    assert seen == {f"{room.__name__}.{name}": _knobs(kind) for name, kind in EXPORTED.items()}


def _knobs(kind: type) -> set[str]:
    parameters = inspect.signature(kind).parameters.values()
    assert [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY] == ["num_ids", "dim"]
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


@pytest.mark.parametrize("name", EXPORTED)
def test_every_technique_has_a_row_in_the_docs_that_names_its_overlay_and_knobs(name):
    lines = (ROOT / "docs/embeddings.md").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"| `{name}` ")]
    overlays = {row.overlay for row in TECHNIQUES.values() if isinstance(row.make(NUM_IDS, DIM), EXPORTED[name])}
    assert set(re.findall(r"embedding/(\w+)\.yaml", line)) == overlays
    assert all(f"`{knob}`" in line for knob in _knobs(EXPORTED[name]))
