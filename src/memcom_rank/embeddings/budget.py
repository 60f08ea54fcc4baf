"""Embedding room (floor 1): the one size knob, solved in bytes at rest.

Takes a target ratio or a byte budget and a technique's bytes as a function of one size -> gives the largest size
that fits. MB is 10^6 bytes, kB 10^3.
"""

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

from memcom_rank.contract.errors import BudgetError, ConfigError
from memcom_rank.embeddings.base import FP32_BYTES

_UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def limit_bytes(num_ids: int, dim: int, *, target_ratio: float | None, budget_bytes: int | str | None) -> int:
    """Turn the size knob into bytes: exactly one of `target_ratio` and `budget_bytes` is given.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        target_ratio: bytes of the fp32 full table / bytes, at least 1.
        budget_bytes: bytes, as a number or with a unit: 2000000, "2MB", "500kB".

    Raises:
        ConfigError: both or none is given, or the given one cannot be read or is out of range.
    """
    if (target_ratio is None) == (budget_bytes is None):
        raise ConfigError(
            f"target_ratio is {target_ratio} and budget_bytes is {budget_bytes}",
            wanted="exactly one of the two",
            fix="set the one you mean and set the other to null",
        )
    if target_ratio is None:
        assert budget_bytes is not None
        return _read_bytes(budget_bytes)
    if not (math.isfinite(target_ratio) and target_ratio >= 1):
        raise ConfigError(
            f"target_ratio is {target_ratio}",
            wanted="a number of at least 1: bytes of the full table / bytes",
            fix="use e.g. target_ratio: 16, or the technique Full for an uncompressed table",
        )
    # exact, and as it is written: a float quotient rounded up would let the ratio fall below its target, and 25.6 is
    # a little more than that as a float
    return int(Fraction(num_ids * dim * FP32_BYTES) / Fraction(str(target_ratio)))


def _rounded_down(ratio: Fraction) -> str:
    """Return a ratio in four digits or all before the point, never above: the one that is named can be asked for."""
    digits = max(4, len(str(int(ratio))))
    decimals = digits - len(str(int(ratio)))
    return f"{math.floor(ratio * 10**decimals) / 10**decimals:.{decimals}f}"


def _read_bytes(budget: int | str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", str(budget).strip())
    if match is None or match[2] not in _UNITS or Fraction(match[1]) <= 0:
        raise ConfigError(
            f"budget_bytes is {budget!r}",
            wanted=f"a positive number, alone or with one of the units {', '.join(filter(None, _UNITS))}",
            fix='write e.g. 500000, "500kB" or "2MB" (1 MB is 10^6 bytes)',
        )
    return int(Fraction(match[1]) * _UNITS[match[2]])


def largest_size(
    technique: str,
    bytes_of: Callable[[int], int],
    limit: int,
    *,
    at_most: int,
    table: tuple[int, int],
    smaller: Mapping[str, int] = MappingProxyType({}),
) -> int:
    """Return the largest size from 1 to `at_most` with `bytes_of(size) <= limit`, by bisection.

    Args:
        technique: its name, for the error.
        bytes_of: bytes at rest for a size (rows, rank, bits, ...); must not fall as the size grows.
        limit: bytes allowed, from `limit_bytes`.
        at_most: the size above which more bytes would be idle.
        table: ids and width of the full table, for the error's ratios and advice.
        smaller: forms of the technique, and others like it, that go further -> the fewest bytes of each.

    Raises:
        BudgetError: not even size 1 fits.
    """
    if bytes_of(1) > limit:
        furthest = _furthest(technique, *table)
        fitting = [name for name, least in {**smaller, **furthest}.items() if least <= limit]
        full_bytes = math.prod(table) * FP32_BYTES
        largest = Fraction(full_bytes, bytes_of(1))
        less = "ask for less compression" if largest >= 1 else "use Full, which is smaller with so few games"
        raise BudgetError(
            f"{technique} cannot fit in {limit} bytes (a ratio of {full_bytes / max(limit, 1):.4g})",
            wanted=f"at least {bytes_of(1)} bytes: at this width its largest ratio is {_rounded_down(largest)}",
            fix=", or use ".join([less, *fitting]),
        )
    low, high = 1, at_most  # invariant: low fits
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if bytes_of(middle) <= limit else (low, middle - 1)
    return low


def _furthest(technique: str, num_ids: int, dim: int) -> dict[str, int]:
    """Return what fits into nearly nothing: the one that loses least, and the one that needs least -> bytes it fits in.

    Auto ends with MergeRare: two rows of 4 bits a value at most, with their steps, and a bit per id.
    """
    found = {"Auto": dim + 5 + -(-num_ids // 8), "NaiveHash": dim * FP32_BYTES}
    return {name: least for name, least in found.items() if name != technique}
