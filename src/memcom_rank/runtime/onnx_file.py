"""Runtime (apart): walks an ONNX file before onnxruntime sees it. A path -> nothing, or a named error.

An ONNX tensor may say that its numbers lie in another file, or at an address in memory; onnxruntime would go there. A
bundle's model holds its own numbers. It is one graph: functions that call functions overflow the stack of onnxruntime.
The walk follows the protobuf wire format and the field numbers of onnx.proto, and steps over the numbers themselves,
so that it takes no memory, and of models that the exporter makes milliseconds.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from .errors import damaged

_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE = range(6)
# the fields that hold messages in which a tensor may be, as {message: {field number: message}}
_INSIDE: dict[int, dict[int, int]] = {
    _MODEL: {7: _GRAPH},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 10: _TENSOR, 22: _SPARSE, 23: _SPARSE},
    _TENSOR: {},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
}
_REFUSED = {
    (_MODEL, 20): "a graph for training",
    (_MODEL, 25): "functions",
    (_ATTRIBUTE, 6): "a graph inside its graph",
    (_ATTRIBUTE, 11): "graphs inside its graph",
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # fields of a tensor
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5  # wire types
_MAX_VARINT = 10


def check_onnx(path: Path) -> None:
    """Check that a model is one whole message, one graph, with all of its numbers inside.

    Raises:
        BundleError: it is not, or a tensor refers to what is elsewhere.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _walk(data)
    except (OSError, ValueError, IndexError) as error:
        raise damaged(f"'{path}' is no ONNX model: {error}", "a whole protobuf message") from error


def _walk(data: mmap.mmap) -> None:
    nested = [(_MODEL, _fields(data, 0, len(data)))]
    while nested:
        message, fields = nested[-1]
        for field, value, size in fields:
            if (message, field) in _REFUSED:
                raise damaged(f"the model holds {_REFUSED[message, field]}", "one graph")
            if message == _TENSOR and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value)):
                raise damaged(
                    "the model refers to numbers outside of its file", "a model that holds all of its numbers"
                )
            if field in _INSIDE[message]:
                nested.append((_INSIDE[message][field], _fields(data, value, value + size)))
                break
        else:
            nested.pop()


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, value and size of each field: value is the place of what has a length, and 0 of plain numbers."""
    while at < end:
        tag, at = _varint(data, at, end)
        field, wire = tag >> 3, tag & 7
        value = size = 0
        if wire == _VARINT:
            value, at = _varint(data, at, end)
        elif wire == _LENGTH:
            size, at = _varint(data, at, end)
            value, at = at, at + size
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if wire == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if tag >> 32:  # which protobuf would cut to 32 bits, and read as another field
            raise ValueError(f"a field number without end at byte {at}")
        if at > end:
            raise ValueError(f"a field ends behind its message, at byte {at}")
        yield field, value, size


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = 0
    for place in range(at, min(at + _MAX_VARINT, end)):
        byte = data[place]
        value |= (byte & 127) << 7 * (place - at)
        if byte < 128:
            return value, place + 1
    raise ValueError(f"a number without an end at byte {at}")
