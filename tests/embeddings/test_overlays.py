"""The shipped overlays, through the parser that LightningCLI uses: a class path becomes (num_ids, dim) -> technique."""

from collections.abc import Callable
from pathlib import Path

import jsonargparse
import pytest
import yaml

from memcom_rank.embeddings import CompressedEmbedding, MEmCom
from tests.embeddings.techniques import DIM, NUM_IDS, TECHNIQUES

# the newer name of instantiate_classes is younger than the oldest jsonargparse that the project takes
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OVERLAYS = Path(__file__).parents[2] / "configs/embedding"
NUM_GAMES = 4998
KINDS = {row.overlay: type(row.make(NUM_IDS, DIM)) for row in TECHNIQUES.values()}


class Model:
    """Stands for a ranker: takes the technique as a callable and fills in the dataset's facts."""

    def __init__(self, embedding: Callable[[int, int], CompressedEmbedding], dim: int = 64) -> None:
        self.embedding = embedding(NUM_GAMES + 2, dim)


def build(*args: str) -> CompressedEmbedding:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_subclass_arguments(Model, "model")
    parser.set_defaults({"model": {"class_path": f"{__name__}.Model"}})
    return parser.instantiate_classes(parser.parse_args(list(args))).model.embedding


@pytest.mark.parametrize("overlay", KINDS)
def test_an_overlay_builds_its_technique(overlay):
    made = build(f"--config={OVERLAYS / overlay}.yaml")
    assert type(made) is KINDS[overlay]
    assert (made.num_ids, made.dim) == (5000, 64)
    coarse = {"low_rank": 4 / 3}  # rank 3, as 4 is just too much
    knobs = yaml.safe_load((OVERLAYS / f"{overlay}.yaml").read_text())["model"]["init_args"]["embedding"]["init_args"]
    target = knobs.get("target_ratio", 1)
    assert target == {"full": 1, "mixed_precision": 6}.get(overlay, 16)
    assert target <= made.ratio < 1.07 * target * coarse.get(overlay, 1)


@pytest.mark.parametrize(
    ("first", "second"), [(name, "memcom") for name in KINDS] + [("memcom", name) for name in KINDS if name != "memcom"]
)
@pytest.mark.filterwarnings("ignore:Due to class_path change")
def test_a_later_overlay_replaces_an_earlier_one_whole(first, second, tmp_path):
    text = (OVERLAYS / f"{first}.yaml").read_text()
    for old, new in [("16.0", "null"), ("budget_bytes: null", "budget_bytes: 64kB"), ("bias: true", "bias: false")]:
        text = text.replace(old, new)
    (tmp_path / "first.yaml").write_text(text)
    made = build(f"--config={tmp_path / 'first.yaml'}", f"--config={OVERLAYS / second}.yaml")
    alone = build(f"--config={OVERLAYS / second}.yaml")
    assert type(made) is type(alone)
    assert {n: p.shape for n, p in made.named_parameters()} == {n: p.shape for n, p in alone.named_parameters()}


def test_knobs_can_be_turned_on_the_command_line():
    flag = "--model.init_args.embedding.init_args"
    made = build(f"--config={OVERLAYS / 'memcom.yaml'}", f"{flag}.bias=false", f"{flag}.target_ratio=8")
    assert isinstance(made, MEmCom)
    assert made.bias is None
    assert 8 <= made.ratio < 9


def test_a_byte_budget_on_the_command_line_takes_the_whole_technique():
    # a null in a flag of its own arrives as the text "None" (jsonargparse 4.53), so the ratio is not unset by one
    value = (
        '{"class_path": "memcom_rank.embeddings.MEmCom", "init_args": {"target_ratio": null, "budget_bytes": "60kB"}}'
    )
    made = build(f"--config={OVERLAYS / 'memcom.yaml'}", f"--model.init_args.embedding={value}")
    assert isinstance(made, MEmCom)
    assert 59_000 < made.num_bytes <= 60_000


def test_a_misspelt_knob_is_refused():
    with pytest.raises(jsonargparse.ArgumentError, match="target_ration"):
        build(f"--config={OVERLAYS / 'memcom.yaml'}", "--model.init_args.embedding.init_args.target_ration=8")
