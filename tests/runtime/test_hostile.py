"""Bundles of people who want harm: whatever is done to one, only `BundleError` comes out, and never a wrong ranking.

MEMCOM_RANK_FUZZ=N multiplies the number of examples, and draws new ones on every run.
"""

import contextlib
import copy
import gzip
import itertools
import json
import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcom_rank.runtime import BundleError, Ranker, open_bundle
from tests.runtime.bundles import FIELDS, K, files, seal, write

pytestmark = pytest.mark.slow

TIMES = int(os.environ.get("MEMCOM_RANK_FUZZ", "0"))
PLAYED = ["Portal", "Dota 2"]


def examples(number):
    return settings(max_examples=number * max(TIMES, 1), derandomize=not TIMES)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a fresh folder name on each call; the last one is removed."""
    root, count = tmp_path_factory.mktemp("hostile"), itertools.count()

    def fresh():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        return root / str(next(count))

    return fresh


def edits(content):
    """Strategies of what can be done to bytes: flip, cut, insert, copy around, and empty."""
    place = st.integers(0, max(len(content) - 1, 0))
    flip = st.tuples(place, st.integers(1, 255)).map(
        lambda e: content[: e[0]] + bytes(b ^ e[1] for b in content[e[0] : e[0] + 1]) + content[e[0] + 1 :]
    )
    cut = st.tuples(place, st.integers(1, 64)).map(lambda e: content[: e[0]] + content[e[0] + e[1] :])
    insert = st.tuples(place, st.binary(min_size=1, max_size=16)).map(
        lambda e: content[: e[0]] + e[1] + content[e[0] :]
    )
    moved = st.tuples(place, place, st.integers(1, 32)).map(
        lambda e: content[: e[0]] + content[e[1] : e[1] + e[2]] + content[e[0] + e[2] :]
    )
    end = place.map(lambda at: content[:at]) | st.binary(min_size=1, max_size=64).map(lambda more: content + more)
    return flip | cut | insert | moved | end | st.binary(max_size=32)


def ranking(folder):
    ranker = Ranker.load(folder)
    return [game.id for game in ranker.rank(PLAYED, min(K, ranker.manifest.k))]


@examples(300)
@given(st.data())
def test_any_change_of_a_file_is_an_error(bundle, place, data):
    name = data.draw(st.sampled_from(["manifest.json", "model.onnx", "games.gz", "README.md"]))
    before = (bundle / name).read_bytes()
    after = data.draw(edits(before) | st.sampled_from(["manifest.json", "model.onnx", "games.gz", "README.md"]))
    if isinstance(after, str):  # another file in its place
        after = (bundle / after).read_bytes()
    folder = shutil.copytree(bundle, place())
    (folder / name).write_bytes(after)
    if after == before:
        assert ranking(folder) == ranking(bundle)
    else:
        with pytest.raises(BundleError):
            Ranker.load(folder)


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-3, 200)
    | st.sampled_from([2**31, 2**53, 2**64, 10**30, -1, 1.5, float("nan"), float("inf"), 1e300])
    | st.text(max_size=5)
    | st.sampled_from(
        ["../x", "/etc/passwd", "model.onnx", "games.gz", "README.md", "manifest.json", "onnx", "a\x00", "\ud800"]
    )
)
values = st.recursive(leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3))


@examples(500)
@given(st.data())
def test_any_field_of_a_sealed_manifest(bundle, place, data):
    fields = json.loads((bundle / "manifest.json").read_text("utf-8"))
    for _ in range(data.draw(st.integers(1, 3))):
        inside = fields
        while True:
            key = data.draw(st.sampled_from(sorted(inside)) if inside else st.just("new"))
            if not isinstance(inside.get(key), dict) or data.draw(st.booleans()):
                break
            inside = inside[key]
        match data.draw(st.sampled_from(["change", "change", "change", "remove", "add"])):
            case "change":
                inside[key] = data.draw(values)
            case "remove":
                inside.pop(key, None)
            case "add":
                added = data.draw(st.sampled_from(["../x", "new", "", "README.md"]) | st.text(max_size=3))
                inside[added] = data.draw(values)
    folder = shutil.copytree(bundle, place())
    with contextlib.suppress(UnicodeEncodeError):  # what cannot be written at all
        seal(folder, copy.deepcopy(fields))
        with contextlib.suppress(BundleError):
            assert ranking(folder) == ranking(bundle)


@examples(200)
@given(st.data())
def test_any_list_of_games_with_right_digests(place, data):
    text = gzip.decompress(files()["games.gz"])
    packed = data.draw(edits(text).map(lambda t: gzip.compress(t, mtime=0)) | edits(files()["games.gz"]))
    facts = data.draw(st.sampled_from([{}, {"unpacked_bytes": len(text)}]))
    folder = write(place(), {**files(), "games.gz": packed}, games_gz=facts)
    with contextlib.suppress(BundleError):
        read = open_bundle(folder)
        assert len(list(read.games)) == len(read.games) == FIELDS["num_games"]
        for number, game in enumerate(read.games):
            assert number in read.games.with_id(game.id)
            assert number in read.games.with_title(game.title)


@examples(300)
@given(st.data())
def test_any_model_with_right_digests(bundle, place, data):
    """Such a model may rank in another way, for who writes a bundle chooses its model; but it ranks, or is refused."""
    model = data.draw(edits(files()["model.onnx"]))
    folder = write(place(), files(model))
    with contextlib.suppress(BundleError):
        found = ranking(folder)
        assert len(set(found)) == len(found) == K
        assert not {"570", "400"} & set(found)
