"""Runtime (apart): manifest.json, what a bundle says about itself. Bytes -> a checked `Manifest`, and back.

A manifest has one spelling: sorted keys, an indent of 1, UTF-8, a line feed at the end. Any other byte is an error, and
so is a key that this version does not know.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from .errors import BundleError, damaged

FORMAT, VERSION = "memcom-rank bundle", 1
MANIFEST, GAMES, CARD = "manifest.json", "games.gz", "README.md"
RUNTIMES = ("onnx", "executorch", "coreml", "litert")
NOT_MEASURED = "not measured"

MAX_MANIFEST_BYTES = 1 << 20
MAX_HISTORY = 1 << 20  # of a format that has a fixed length
MAX_MODEL_BYTES = (1 << 31) - 1  # of any protobuf
MAX_FILE_BYTES = 1 << 28  # of the other files, packed or unpacked
MAX_EXPANSION = 100  # titles shrink 2 to 10 times; what shrinks more is no list of titles
MAX_FILES, MAX_ENTRIES, MAX_TEXT = 16, 256, 256
MAX_COUNT = 1 << 53  # exact in every JSON reader
_PLAIN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Facts = Mapping[str, str | int | float | None]


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """Size and digest of one file; `unpacked_bytes` of the list of games alone."""

    bytes: int
    sha256: str
    unpacked_bytes: int | None = None


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a bundle holds, how large it is and what it was made from.

    Attributes:
        runtime: "onnx", "executorch", "coreml" or "litert", what runs the model.
        model: file name of the model.
        games: file name of the list of games.
        num_games: games of the catalogue; their ids are 2 .. num_games + 1.
        k: most games that the model returns.
        max_history: the fixed length of a history, or None for any.
        technique: class of the embedding, e.g. "MEmCom".
        dim: its width.
        bits: of a packed number, 32 for none.
        head: class of the ranker, e.g. "Classifier".
        dataset: what it was trained on: name, digest, users, ...
        trained: how: epochs, seed, ...
        bytes: on disk by part.
        full_table_bytes: of the fp32 table that the embedding stands for.
        full_model_bytes: of the whole fp32 model with that table.
        metrics: of the exported model on the test split, or "not measured".
        files: size and digest by file name.
        digest: sha256 over all of this.
    """

    runtime: str
    model: str
    games: str
    num_games: int
    k: int
    max_history: int | None
    technique: str
    dim: int
    bits: int
    head: str
    dataset: Facts
    trained: Facts
    bytes: Mapping[str, int]
    full_table_bytes: int
    full_model_bytes: int
    metrics: Mapping[str, float] | str
    files: Mapping[str, FileFacts]
    digest: str


KEYS = {"format", "version", *(field.name for field in dataclasses.fields(Manifest))}


def digest_of(fields: Mapping[str, Any]) -> str:
    """Return the sha256 (hex) of the canonical JSON of all fields but the digest itself."""
    rest = {key: value for key, value in fields.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_bytes(fields: Mapping[str, Any]) -> bytes:
    """Return the one spelling of a manifest with these fields."""
    return (json.dumps(fields, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parse_manifest(data: bytes) -> Manifest:
    """Check everything that a manifest can say by itself.

    Raises:
        BundleError: it is damaged, of a newer version, or claims what no bundle has.
    """
    try:
        fields = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
        spelling, digest = (manifest_bytes(fields), digest_of(fields)) if isinstance(fields, dict) else (b"", "")
    except (ValueError, RecursionError) as error:
        raise damaged(f"{MANIFEST} is no JSON of ours: {_short(error)}", "UTF-8 JSON without NaN") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise damaged(f"{MANIFEST} is not of a bundle", f'an object with "format": "{FORMAT}"')
    version = fields.get("version")
    if type(version) is not int or version != VERSION:
        raise _newer(f"{MANIFEST} has version {_short(version)}")
    if spelling != data:
        raise damaged(f"{MANIFEST} was edited", "sorted keys, an indent of 1, a line feed at the end")
    if fields.get("digest") != digest:
        raise damaged(f"{MANIFEST} does not have the digest it states", digest)
    return _checked(fields)


def _checked(fields: dict[str, Any]) -> Manifest:
    if missing := KEYS - set(fields):
        raise damaged(f"{MANIFEST} lacks {sorted(missing)}", "all keys of version 1")
    if unknown := set(fields) - KEYS:
        raise _newer(f"{MANIFEST} has unknown keys: {_short(sorted(unknown))}")
    _want(fields["runtime"] in RUNTIMES, "runtime", fields["runtime"], f"one of {', '.join(RUNTIMES)}")
    for key in ("technique", "head"):
        _want(_is_text(fields[key]), key, fields[key], "a short line of text")
    for key, most in (("num_games", MAX_FILE_BYTES), ("k", MAX_FILE_BYTES), ("dim", 1 << 20), ("bits", 32)):
        _want(_is_count(fields[key], 1, most), key, fields[key], f"a whole number of 1 to {most}")
    _want(fields["k"] <= fields["num_games"], "k", fields["k"], f"at most the {fields['num_games']} games there are")
    for key in ("full_table_bytes", "full_model_bytes"):
        _want(_is_count(fields[key], 0), key, fields[key], "bytes")
    length = fields["max_history"]
    _want(length is None or _is_count(length, 1, MAX_HISTORY), "max_history", length, "a length, or null for any")
    _want(length is None or fields["runtime"] != "onnx", "max_history", length, "null, for ONNX takes any length")
    for key in ("dataset", "trained"):
        _want(_is_table(fields[key]) and all(map(_is_fact, fields[key].values())), key, fields[key], "plain facts")
    sizes, metrics = fields["bytes"], fields["metrics"]
    _want(_is_table(sizes) and all(_is_count(size, 0) for size in sizes.values()), "bytes", sizes, "bytes by part")
    measured = _is_table(metrics) and all(map(_is_number, metrics.values()))
    _want(measured or metrics == NOT_MEASURED, "metrics", metrics, f'numbers by name, or "{NOT_MEASURED}"')
    files = _files(fields["files"], fields["games"], fields["model"])
    given = {key: fields[key] for key in KEYS - {"format", "version", "files"}}
    return Manifest(**given, files=files)


def _files(table: Any, games: Any, model: Any) -> dict[str, FileFacts]:
    """Check names, sizes and digests before any of the files is opened."""
    _want(type(table) is dict and len(table) <= MAX_FILES, "files", table, f"at most {MAX_FILES} files by name")
    for key, name in (("games", games), ("model", model)):
        _want(isinstance(name, str) and name in table, key, name, "the name of one of the files")
    _want(games != model, "games", games, "another file than the model")
    files = {}
    for name, facts in table.items():
        _want(
            bool(_PLAIN_NAME.fullmatch(name)) and name != MANIFEST, "files", name, "plain names: a letter, no / or \\"
        )
        wanted = {"bytes", "sha256"} | ({"unpacked_bytes"} if name == games else set())
        _want(type(facts) is dict and set(facts) == wanted, name, facts, " and ".join(sorted(wanted)))
        most = MAX_MODEL_BYTES if name == model else MAX_FILE_BYTES
        _want(_is_count(facts["bytes"], 0, most), name, facts["bytes"], f"at most {most} bytes")
        digest = facts["sha256"]
        _want(isinstance(digest, str) and bool(_SHA256.fullmatch(digest)), name, digest, "64 hex digits")
        files[name] = FileFacts(**facts)
    packed, unpacked = table[games]["bytes"], table[games]["unpacked_bytes"]
    most = min(MAX_FILE_BYTES, MAX_EXPANSION * packed)
    _want(_is_count(unpacked, 1, most), games, unpacked, f"at most {most} bytes, unpacked from {packed}")
    return files


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key stands twice")
    return fields


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _is_count(value: Any, least: int, most: int = MAX_COUNT) -> bool:
    return type(value) is int and least <= value <= most


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()


def _is_table(value: Any) -> bool:
    return type(value) is dict and len(value) <= MAX_ENTRIES and all(map(_is_text, value))


def _is_fact(value: Any) -> bool:
    return value is None or isinstance(value, bool) or _is_number(value) or _is_text(value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= MAX_COUNT


def _want(holds: bool, key: str, value: Any, wanted: str) -> None:
    if not holds:
        raise damaged(f"{MANIFEST}: {_short(key)} is {_short(value)}", wanted)


def _short(value: Any) -> str:
    """Show a value of a stranger: one line, escaped, not long."""
    text = str(value) if isinstance(value, Exception) else ascii(value)
    return (text if text.isprintable() else ascii(text))[:100]


def _newer(seen: str) -> BundleError:
    return BundleError(seen, wanted=f"version {VERSION}, which this program reads", fix="update memcom-rank")
