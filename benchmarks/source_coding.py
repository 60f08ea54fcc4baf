"""Is it worth while to entropy-code packed tables for the download? Containers and the entropy bound, on checkpoints.

    pip install constriction zstandard
    python benchmarks/source_coding.py runs/A runs/B --bits 8 4 2 --output benchmarks/results/source_coding.json

A line is all that an artifact of one checkpoint holds as codes: rows, numbers per id, maps; not fp16 steps, the bias
per game or titles. Parts that were trained in few bits are taken as they were trained (one line, whatever --bits);
rows of floats are rounded to each of --bits after training, numbers per id to 8. Columns, in % of the packed bytes:

    gzip, zstd, xz     the packed bytes, at the highest usual level
    differences        mod 2^bits from the most similar earlier row, and that row's number, as zstd packs them
    rANS               `constriction`, in blocks of rows that decode alone, with 16-bit histogram and block lengths
    rANS by neighbour  a histogram for each level (of 16 at most) that the most similar earlier row has there, and that
                       row's number; rows decode one after the other
    bound              entropy of order 0, the histogram told for free; by row, by column: with one for each of them
                       (where levels are many and values few, the histograms hold most of the information)
    learned            the shortest of these three with histograms learned on the way (Krichevsky and Trofimov 1981)

Decoding: packed MB per second of CPU time, best of --repeats. rANS gives int32 codes, yet to be packed.
"""

import argparse
import gzip
import json
import lzma
import math
import platform
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from memcom_rank import embeddings
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.embeddings.id_map import IdMap, bits_for
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.low_bit_scalars import LowBitScalars
from memcom_rank.embeddings.merging_rows import MergingRows
from memcom_rank.embeddings.quantise import pack, packed_bytes, quantise
from memcom_rank.embeddings.tables import Rows, Scalars

_PACKAGES = ("constriction", "zstandard")


@dataclass
class Part:
    """Codes [M, W] of `bits` bits."""

    name: str
    codes: Tensor
    bits: int

    @property
    def packed(self) -> bytes:
        return pack(self.codes, self.bits).numpy().tobytes()


def load(path: Path) -> CompressedEmbedding:
    """Return the embedding of a checkpoint, or of the best checkpoint of a run folder."""
    path = path / "checkpoints" / "best.ckpt" if path.is_dir() else path
    checkpoint = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    settings = checkpoint["hyper_parameters"]
    kind = getattr(embeddings, settings["embedding"]["class_path"].rpartition(".")[2])
    knobs = settings["embedding"].get("init_args", {})
    embedding: CompressedEmbedding = kind(settings["num_ids"], settings["dim"], **knobs)
    weights = {name.partition(".embedding.")[2]: tensor for name, tensor in checkpoint["state_dict"].items()}
    embedding.load_state_dict({name: tensor for name, tensor in weights.items() if name})
    return embedding


def parts_of(module: nn.Module, bits: int, name: str = "") -> list[Part]:
    """Return all that an artifact with rows of `bits` bits holds as codes."""
    match module:
        case MergingRows():
            return parts_of(module.settled(), bits, name)
        case LowBitRows():
            return [_rounded(name, module.rows_MW, module.bits)]
        case Rows():
            return [_rounded(name, module.rows_MW, bits)]
        case Scalars() | LowBitScalars():  # one step for all, as in a row
            return [Part(name, _rounded(name, module.values_N[None], 8).codes.T, 8)]
        case IdMap():
            return [Part(name, module.codes, bits_for(module.size))]
    inside = [(f"{name}.{own}".lstrip("."), child) for own, child in module.named_children()]
    return [part for own, child in inside for part in parts_of(child, bits, own)]


def _rounded(name: str, values_MW: Tensor, bits: int) -> Part:
    return Part(name, quantise(values_MW.detach().float(), bits)[0], bits)


def counts(codes_GN: Tensor, bits: int) -> Tensor:
    """Return how often each code comes in each group: int64 [G, 2^bits]."""
    levels = 1 << bits
    places_GN = codes_GN.long() + torch.arange(len(codes_GN))[:, None] * levels
    return places_GN.flatten().bincount(minlength=len(codes_GN) * levels).view(-1, levels)


def entropy_bytes(counts_GC: Tensor) -> float:
    """Return the bytes of codes that cost their group's entropy each."""
    counts_GC = counts_GC.double()
    total_G1 = counts_GC.sum(dim=1, keepdim=True)
    return -float(torch.special.xlogy(counts_GC, counts_GC / total_G1).nansum()) / math.log(2) / 8


def learned_bytes(counts_GC: Tensor) -> float:
    """Return the bytes of codes by histograms learned on the way: each level starts at half a count in each group."""
    counts_GC = counts_GC.double()
    half = torch.full_like(counts_GC, 0.5)
    nats_G = (counts_GC.sum(1) + half.sum(1)).lgamma() - half.sum(1).lgamma()
    nats_G -= (counts_GC + half).lgamma().sum(1) - half.lgamma().sum(1)
    return float(nats_G.sum()) / math.log(2) / 8


def neighbours(codes_MW: Tensor, bits: int) -> Tensor:
    """Return the most similar earlier row of each row (cosine of the levels), int64 [M]; 0 for the first."""
    levels_MW = nn.functional.normalize(codes_MW - ((1 << bits) - 1) / 2, dim=1)
    found = [torch.zeros(1, dtype=torch.int64)]
    for first in range(1, len(levels_MW), 256):
        likeness_RM = levels_MW[first : first + 256] @ levels_MW.T
        later_RM = torch.ones_like(likeness_RM, dtype=torch.bool).triu(first)
        found.append(likeness_RM.masked_fill_(later_RM, -2.0).argmax(dim=1))
    return torch.cat(found)


def differences(part: Part) -> bytes:
    """Return what is left of a part after its neighbours, packed, and their numbers; of a single column all of it."""
    if part.codes.shape[1] == 1:
        return part.packed
    nearest_M = neighbours(part.codes, part.bits)
    left_MW = (part.codes.long() - part.codes.long()[nearest_M]) % (1 << part.bits)
    left_MW[0] = part.codes[0]
    return pack(left_MW, part.bits).numpy().tobytes() + pack(nearest_M, bits_for(len(nearest_M))).numpy().tobytes()


class Rans:
    """A part as rANS words: histograms, then blocks of rows, and their lengths.

    Args:
        part: what is coded.
        block: codes of a block, about.
        near: whether the most similar earlier row says which histogram holds; then blocks do not decode alone.
    """

    def __init__(self, part: Part, block: int, *, near: bool = False) -> None:
        self.stream = import_module("constriction").stream
        codes_MW = part.codes.numpy().astype(np.int32)
        self.shape = codes_MW.shape
        self.block_rows = max(block // codes_MW.shape[1], 1)
        self.shift = max(part.bits - 4, 0)
        self.nearest_M = neighbours(part.codes, part.bits).numpy() if near else None
        contexts_MW = self._contexts(codes_MW, slice(None))
        counts_CK = np.zeros((int(contexts_MW.max()) + 1, 1 << part.bits))
        np.add.at(counts_CK, (contexts_MW, codes_MW), 1)
        scale_C1 = (2**16 - 1) / counts_CK.max(axis=1, keepdims=True).clip(1)
        # a level that comes at all keeps a count of at least 1
        self.histograms_CK, self.blocks = np.maximum(counts_CK * scale_C1, counts_CK > 0).astype(np.uint16), []
        for first in range(0, len(codes_MW), self.block_rows):
            rows = slice(first, first + self.block_rows)
            coder = self.stream.stack.AnsCoder()
            coder.encode_reverse(codes_MW[rows].flatten(), *self._model(contexts_MW[rows]))
            self.blocks.append(coder.get_compressed())
        self.lengths = np.array([len(words) for words in self.blocks], dtype=np.uint16)  # of 32-bit words; raises above

    @property
    def num_bytes(self) -> int:
        """Histograms, numbers of neighbours, lengths and words."""
        numbers = 0 if self.nearest_M is None else packed_bytes(self.shape[0], bits_for(self.shape[0]))
        return self.histograms_CK.nbytes + numbers + self.lengths.nbytes + sum(words.nbytes for words in self.blocks)

    def decode(self) -> Tensor:
        """Return all codes, int32 [M, W]."""
        codes_MW = np.zeros(self.shape, dtype=np.int32)
        step = self.block_rows if self.nearest_M is None else 1  # a row may need the one before it
        for number, words in enumerate(self.blocks):
            coder, first = self.stream.stack.AnsCoder(words), number * self.block_rows
            for row in range(first, min(first + self.block_rows, len(codes_MW)), step):
                rows = slice(row, row + step)
                model = self._model(self._contexts(codes_MW, rows))
                amount = (codes_MW[rows].size,) if len(model) == 1 else ()  # else there is a histogram for each code
                codes_MW[rows] = coder.decode(*model, *amount).reshape(codes_MW[rows].shape)
        return torch.from_numpy(codes_MW)

    def _contexts(self, codes_MW: Any, rows: slice) -> Any:
        """Return which histogram holds for each code of these rows; the first row's are all 0, as in `decode`."""
        if self.nearest_M is None:
            return np.zeros_like(codes_MW[rows])
        contexts_RW = codes_MW[self.nearest_M[rows]] >> self.shift
        contexts_RW[: 1 if (rows.start or 0) == 0 else 0] = 0
        return contexts_RW

    def _model(self, contexts_RW: Any) -> tuple[Any, ...]:
        categorical, histograms_CK = self.stream.model.Categorical, self.histograms_CK.astype(np.float32)
        if self.nearest_M is None:
            return (categorical(histograms_CK[0], perfect=False),)
        return categorical(perfect=False), histograms_CK[contexts_RW.flatten()]


def seconds(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the fastest repeat."""
    return min(timeit.repeat(work, timer=time.process_time, number=1, repeat=repeats))


def measure(parts: list[Part], block: int, repeats: int) -> dict[str, Any]:
    """Bytes of every container and bound, and packed MB decoded per second."""
    zstd = import_module("zstandard")
    raw = b"".join(part.packed for part in parts)
    packers: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
        "gzip -9": (lambda data: gzip.compress(data, 9, mtime=0), gzip.decompress),
        "zstd -19": (zstd.ZstdCompressor(level=19).compress, lambda data: zstd.ZstdDecompressor().decompress(data)),
        "xz -9e": (lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
    }
    found: dict[str, Any] = {"packed": len(raw), "bytes": {}, "decode_mb_per_s": {}}
    for name, (squeeze, expand) in packers.items():
        small = squeeze(raw)
        assert expand(small) == raw
        found["bytes"][name] = len(small)
        found["decode_mb_per_s"][name] = len(raw) / 1e6 / seconds(lambda e=expand, s=small: e(s), repeats)
    found["bytes"]["differences"] = len(packers["zstd -19"][0](b"".join(map(differences, parts))))
    for name, near in (("rANS", False), ("rANS by neighbour", True)):
        coded = [Rans(part, block, near=near and part.codes.shape[1] > 1) for part in parts]
        assert all(torch.equal(c.decode(), p.codes.int()) for c, p in zip(coded, parts, strict=True))
        found["bytes"][name] = sum(part.num_bytes for part in coded)
        took = seconds(lambda coded=coded: [part.decode() for part in coded], repeats)
        found["decode_mb_per_s"][name] = len(raw) / 1e6 / took
    found["bytes"] |= bounds(parts)
    return found


def bounds(parts: list[Part]) -> dict[str, float]:
    """Bytes by the entropies of the codes; a part with one column counts whole, not by row."""
    found = dict.fromkeys(("bound", "by row", "by column", "learned"), 0.0)
    for part in parts:
        groupings = (part.codes.reshape(1, -1), part.codes, part.codes.T)
        whole, rows, columns = (counts(codes_GN, part.bits) for codes_GN in groupings)
        found["bound"] += entropy_bytes(whole)
        found["by row"] += entropy_bytes(rows if part.codes.shape[1] > 1 else whole)
        found["by column"] += entropy_bytes(columns)
        found["learned"] += min(map(learned_bytes, (whole, rows, columns)))
    return found


def lines(path: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure one checkpoint, at each number of bits that it may have."""
    embedding = load(path)
    found = []
    floats = any(isinstance(module, Rows) for module in embedding.modules())  # else all has the bits it was trained in
    for bits in args.bits if floats else args.bits[:1]:
        parts = parts_of(embedding, bits)
        about = [{"name": p.name, "shape": list(p.codes.shape), "bits": p.bits, "bytes": bounds([p])} for p in parts]
        name = {"embedding": f"{type(embedding).__name__} {embedding.ratio:.0f}x"}
        found.append(name | measure(parts, args.block, args.repeats) | {"parts": about})
    return found


def markdown(results: list[dict[str, Any]]) -> str:
    sizes, speeds = results[0]["bytes"], results[0]["decode_mb_per_s"]
    head = ["codes of", "bits", "packed bytes", *sizes, *(f"{name} MB/s" for name in speeds)]
    table = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * (len(head) - 2)]
    for r in results:
        shares = [f"{100 * r['bytes'][name] / r['packed']:.1f}" for name in sizes]
        rates = [f"{r['decode_mb_per_s'][name]:,.0f}" for name in speeds]
        bits = "/".join(str(bits) for bits in dict.fromkeys(part["bits"] for part in r["parts"]))
        table.append("| " + " | ".join([r["embedding"], bits, f"{r['packed']:,}", *shares, *rates]) + " |")
    return "\n".join(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+", help="checkpoints or run folders (their best.ckpt)")
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 4, 2], help="of float rows, rounded now (8 4 2)")
    parser.add_argument("--block", type=int, default=16384, help="codes of a block that decodes alone (16384)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, help="JSON file of everything measured, and the table beside it as .md")
    args = parser.parse_args()
    if absent := [package for package in _PACKAGES if find_spec(package) is None]:
        parser.error(f"not installed: {', '.join(absent)}; pip install {' '.join(absent)}")
    torch.set_num_threads(1)
    results = [line for path in args.checkpoints for line in lines(path, args)]
    print(markdown(results))
    if args.output:
        versions = {package: version(package) for package in (*_PACKAGES, "torch", "numpy")}
        machine = {"machine": platform.machine(), "python": platform.python_version(), **versions}
        args.output.parent.mkdir(parents=True, exist_ok=True)
        options = {"bits": args.bits, "block": args.block, "repeats": args.repeats}
        args.output.write_text(json.dumps({"options": options, **machine, "results": results}, indent=1) + "\n")
        args.output.with_suffix(".md").write_text(markdown(results) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
