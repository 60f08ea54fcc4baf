import dataclasses
import json

import pytest

from memcom_rank.runtime import BundleError, FileFacts
from memcom_rank.runtime.manifest import KEYS, Manifest, digest_of, manifest_bytes, parse_manifest
from tests.runtime.bundles import FIELDS

DIGEST = "0" * 64
FILES = {
    "model.onnx": {"bytes": 10, "sha256": DIGEST},
    "games.gz": {"bytes": 10, "sha256": DIGEST, "unpacked_bytes": 20},
}
WHOLE = {"format": "memcom-rank bundle", "version": 1, **FIELDS, "files": FILES}


def sealed(**changes):
    fields = {key: value for key, value in {**WHOLE, **changes}.items() if value is not KEYS}
    return manifest_bytes({**fields, "digest": digest_of(fields)})


def test_a_manifest_comes_back():
    manifest = parse_manifest(sealed())
    assert {key: getattr(manifest, key) for key in FIELDS} == FIELDS
    assert manifest.files["games.gz"] == FileFacts(10, DIGEST, 20)
    assert manifest.digest == digest_of(WHOLE) != digest_of({**WHOLE, "k": 2})
    assert {"format", "version"} | {field.name for field in dataclasses.fields(Manifest)} == KEYS


def test_text_of_other_alphabets_is_fine():
    assert parse_manifest(sealed(dataset={"name": "東方 é"})).dataset == {"name": "東方 é"}


@pytest.mark.parametrize(
    "changes",
    [
        {"runtime": "pickle"},
        {"runtime": None},
        {"runtime": []},
        {"technique": ""},
        {"technique": "a\x1b[31m"},
        {"head": 3},
        {"num_games": 0},
        {"num_games": True},
        {"num_games": 12.0},
        {"num_games": 10**30},
        {"num_games": "12"},
        {"k": 13},
        {"k": -1},
        {"bits": 33},
        {"dim": 0},
        {"max_history": 5},
        {"runtime": "litert", "max_history": 0},
        {"full_table_bytes": -1},
        {"full_model_bytes": 1.5},
        {"dataset": []},
        {"dataset": {"name": ["nested"]}},
        {"dataset": {"": 1}},
        {"trained": {"rate": 1e300}},
        {"bytes": {"embedding": -1}},
        {"bytes": {"embedding": 1.0}},
        {"metrics": {"ndcg@10": "high"}},
        {"metrics": {"ndcg@10": True}},
        {"metrics": "unknown"},
        {"metrics": None},
        {"model": "other.onnx"},
        {"model": "games.gz"},
        {"model": ["model.onnx"]},
        {"games": {}},
        {"files": []},
        {"files": {**FILES, "manifest.json": {"bytes": 1, "sha256": DIGEST}}},
        {"files": {**FILES, "more": {"bytes": 1, "sha256": DIGEST, "unpacked_bytes": 1}}},
        {"files": {**FILES, "more": {"bytes": 1}}},
        {"files": {**FILES, "more": 3}},
        {"files": {**FILES, "more": {"bytes": 1, "sha256": "0" * 63}}},
        {"files": {**FILES, "more": {"bytes": 1, "sha256": DIGEST.replace("0", "G")}}},
        {"files": {**FILES, "more": {"bytes": -1, "sha256": DIGEST}}},
        {"files": {**FILES, "more": {"bytes": 1 << 40, "sha256": DIGEST}}},
        {"files": {**FILES, "games.gz": {"bytes": 10, "sha256": DIGEST, "unpacked_bytes": 1001}}},
        {"files": {**FILES, "games.gz": {"bytes": 10, "sha256": DIGEST, "unpacked_bytes": None}}},
        {"files": {**FILES, "games.gz": {"bytes": 0, "sha256": DIGEST, "unpacked_bytes": 0}}},
        {"files": {**FILES, **{f"f{n}": {"bytes": 1, "sha256": DIGEST} for n in range(20)}}},
    ],
    ids=str,
)
def test_what_no_bundle_says_is_refused(changes):
    with pytest.raises(BundleError, match=r"manifest\.json"):
        parse_manifest(sealed(**changes))


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "..",
        ".",
        ".hidden",
        "",
        "C:x",
        "a\x00b",
        "a b",
        "x.",
        "é",
        "a" * 65,
        "x\n",
    ],
)
def test_only_plain_names(name):
    with pytest.raises(BundleError, match="plain names"):
        parse_manifest(sealed(files={**FILES, name: {"bytes": 1, "sha256": DIGEST}}))
    with pytest.raises(BundleError):
        parse_manifest(sealed(files={**FILES, name: {"bytes": 1, "sha256": DIGEST}}, model=name))


@pytest.mark.parametrize("changes", [{"version": 2}, {"version": "1"}, {"version": True}, {"colour": "red"}])
def test_a_newer_bundle_asks_for_an_update(changes):
    with pytest.raises(BundleError, match="update memcom-rank"):
        parse_manifest(sealed(**changes))


@pytest.mark.parametrize("key", sorted(KEYS - {"format", "version", "digest"}))
def test_every_key_is_needed(key):
    with pytest.raises(BundleError, match=f"lacks \\['{key}'\\]"):
        parse_manifest(sealed(**{key: KEYS}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"format": "zip"}',
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b'{"format": NaN}',
        b'{"format": 1e999}',
        b'{"format": ' + b"9" * 10_000 + b"}",
        b'{"format": "\\ud800"}',
        b'{"format": 1, "format": 2}',
        sealed()[:-1],
        sealed() + b"\n",
        sealed().replace(b"\n ", b"\n  ", 1),
        sealed().replace(b'"tiny"', b'"t\\u0069ny"'),
        json.dumps(json.loads(sealed())).encode(),
        sealed().replace(b'"k": 10', b'"k": 11'),
        sealed().replace(b'"k": 10', b'"k": 10,\n "k": 10'),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_another_spelling_is_refused(data):
    assert data != sealed()
    with pytest.raises(BundleError, match=r"manifest\.json"):
        parse_manifest(data)


def test_every_flipped_byte_is_an_error():
    data = sealed()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        with pytest.raises(BundleError):
            parse_manifest(bytes(flipped))
