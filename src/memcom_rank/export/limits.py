"""Export room (floor 4): what an artifact of so many bits must keep. Takes what was measured -> gives a named error.

A bundle beyond its limits is not written: it would rank differently from the checkpoint, or be larger than stated.
"""

from typing import NamedTuple

from memcom_rank.contract.errors import ExportError
from memcom_rank.export.agreement import Agreement


class Limits(NamedTuple):
    """What an artifact may differ by.

    Attributes:
        score: largest difference of a score, as a share of the spread of the user's scores.
        overlap: least mean share of the checkpoint's ten best games that are among the artifact's.
    """

    score: float
    overlap: float


LIMITS = {
    32: Limits(score=1e-4, overlap=0.995),  # ties may fall in another order
    16: Limits(score=0.005, overlap=0.99),
    8: Limits(score=0.05, overlap=0.98),
    4: Limits(score=0.15, overlap=0.85),  # twice the worst of five techniques on real data, as for 2: docs/export.md
    2: Limits(score=0.6, overlap=0.55),
}


def check_agreement(found: Agreement, bits: int) -> None:
    """Refuse what differs from its checkpoint.

    Raises:
        ExportError: beyond the limits of `bits`.
    """
    limits = LIMITS[bits]
    if not (found.score_share <= limits.score and found.overlap >= limits.overlap):  # NaN is beyond too
        raise ExportError(
            f"at {bits} bits scores differ by {found.score_share:.2%} of their spread, "
            f"and {found.overlap:.2%} of the ten best games stay",
            wanted=f"at most {limits.score:.2%}, and at least {limits.overlap:.2%}",
            fix="export with more --bits, or train in few bits: --config embedding/low_bit.yaml",
        )


def check_bytes(sizes: dict[str, int], held: int, graph: int) -> None:
    """Refuse a file that holds more than its parts.

    Args:
        sizes: bytes of the model's file by part.
        held: bytes of all parts, as they are held in memory.
        graph: most bytes of all else.

    Raises:
        ExportError: it does.
    """
    weights = sum(size for name, size in sizes.items() if name != "graph")
    if weights > held or sizes["graph"] > graph:
        raise ExportError(
            f"the model's file has {weights:,} bytes of numbers and {sizes['graph']:,} bytes of graph",
            wanted=f"at most {held:,} and {graph:,}",
            fix="use versions of torch and of the format's packages that pyproject.toml names",
        )
