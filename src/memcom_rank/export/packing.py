"""Export room (floor 4): the bytes of a packed table. Takes codes of few bits -> gives rows of whole bytes, and back.

A row starts at a byte, so that it can be looked up by itself. Codes lie in planes of 1, 2, 4 or 8 bits, which divide a
byte: of 3 bits first the two low ones of every code, then the high one. In a byte the lowest bits come first, as in
`embeddings/quantise.py`.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

PLANES = {1: (1,), 2: (2,), 3: (2, 1), 4: (4,), 8: (8,)}  # bits of each plane, the lowest bits of a code first


def plane_bytes(width: int, plane: int) -> int:
    """Return the bytes of one plane of a row of `width` codes."""
    return -(-width * plane // 8)


def row_bytes(width: int, bits: int) -> int:
    """Return the bytes of a row of `width` codes."""
    return sum(plane_bytes(width, plane) for plane in PLANES[bits])


def pack_rows(codes_MW: Tensor, bits: int) -> Tensor:
    """Return rows [M, bytes], uint8, of codes below 2^bits."""
    planes, shift = [], 0
    for plane in PLANES[bits]:
        per = 8 // plane
        values_MW = codes_MW.int() >> shift & ((1 << plane) - 1)
        values_MBp = pad(values_MW, (0, -values_MW.shape[1] % per)).view(len(values_MW), -1, per)
        planes.append((values_MBp << shifts(plane, codes_MW.device)).sum(2).to(torch.uint8))
        shift += plane
    return torch.cat(planes, dim=1)


def unpack_rows(rows: Tensor, bits: int, width: int) -> Tensor:
    """Return the codes [..., width], int32, of packed rows [..., bytes]."""
    codes, first, shift = torch.zeros((), dtype=torch.int32), 0, 0
    for plane in PLANES[bits]:
        end = first + plane_bytes(width, plane)
        values = rows[..., first:end, None].int() >> shifts(plane, rows.device) & ((1 << plane) - 1)
        codes = codes + (values.flatten(-2)[..., :width] << shift)
        first, shift = end, shift + plane
    return codes


def shifts(plane: int, device: torch.device | str = "cpu") -> Tensor:
    """Return where in a byte each code of a plane starts: int32 [8 / plane]."""
    return torch.arange(0, 8, plane, dtype=torch.int32, device=device)


def level_offset(bits: int) -> float:
    """Return what makes of a code its level, in steps: levels are +-1/2, +-3/2, ..."""
    return 0.5 - (1 << bits - 1)
