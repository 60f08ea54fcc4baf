"""Bytes and latency of the embedding part on devices: MEmCom and MergeRare against the full table, by format and bits.

    python benchmarks/export_formats.py --output benchmarks/results/export_formats.json

The embedding part takes a history of 128 games -> gives its pooled vector: 500,000 ids, width 64, one thread, one user.
Every format is measured in its own runtime, in the environment at hand: a format whose packages are not there is left
as an earlier run wrote it. Latencies compare within one run. Core ML runs only on macOS: bytes alone. MergeRare brings
its own bits, 2 and 4 a value, and is sized so that with its graph it is 64 times smaller than the fp32 full table. The
overlap of the ten best games is with the same numbers in fp32, or for MergeRare in the bits it is trained in.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from memcom_rank.contract.errors import ExportError
from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.embeddings import CompressedEmbedding, Full, MEmCom, MergeRare
from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.export.device import DeviceRanker
from memcom_rank.models import PoolMatch, Ranker

NUM_IDS, DIM, LENGTH, ROWS = 500_000, 64, 128, 31_250
CASES = [(name, bits) for bits in (32, 8, 4) for name in ("MEmCom", "Full")] + [("MergeRare", 4)]
MERGE_RARE_BYTES = 1_970_000  # and a graph: at most 2 MB
Run = Callable[[np.ndarray], Any]


class Pooled(nn.Module):
    """The embedding part alone: history [1, L] -> mean vector [1, D]."""

    def __init__(self, embedding: CompressedEmbedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, history_1L: Tensor) -> Tensor:
        real_1L = (history_1L != PADDING_ID).float()
        return self.embedding.pool(history_1L, real_1L / real_1L.sum(1, keepdim=True).clamp(min=1))


def ranker(technique: str) -> Ranker:
    """Return a ranker of 500,000 ids, its numbers drawn."""
    torch.manual_seed(0)
    if technique == "MEmCom":
        made: CompressedEmbedding = MEmCom(NUM_IDS, DIM, budget_bytes=4 * (ROWS * DIM + 2 * NUM_IDS))
    elif technique == "MergeRare":
        made = MergeRare(NUM_IDS, DIM, budget_bytes=MERGE_RARE_BYTES)
    else:
        made = Full(NUM_IDS, DIM)
    if isinstance(made, MEmCom):  # as after training: equal numbers would be stored once
        torch.nn.init.normal_(made.scale.values_N, 1, 0.1)
        torch.nn.init.normal_(made.bias.values_N, 0, 0.1)
    for row_of in made.modules():
        if isinstance(row_of, IdMap):
            row_of.set(torch.randint(row_of.size, (row_of.num_ids,)))
    return Ranker(made, PoolMatch(), game_bias=False).eval()


def part(technique: str, bits: int) -> Pooled:
    return Pooled(DeviceRanker(ranker(technique), bits=bits, k=1).embedding).eval()


def overlap(technique: str, bits: int) -> float:
    """Return how many of the ten best games of fp32 are among those of `bits`, the mean of 200 random histories."""
    made = ranker(technique)
    few, exact = (DeviceRanker(made, bits=some, k=10) for some in (bits, 32))
    shares = []
    with torch.no_grad():
        for ids_BL in torch.randint(2, NUM_IDS, (200, LENGTH)).split(8):
            best = zip(few(ids_BL)[0].tolist(), exact(ids_BL)[0].tolist(), strict=True)
            shares += [len(set(found) & set(wanted)) / 10 for found, wanted in best]
    return statistics.fmean(shares)


def onnx(module: Pooled) -> tuple[int, Run]:
    import onnxruntime

    from memcom_rank.export.onnx_model import onnx_model

    data = onnx_model(module, ["pooled"]).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return len(data), lambda history_1L: session.run(None, {name: history_1L})[0]


def executorch(module: Pooled) -> tuple[int, Run]:
    from executorch.runtime import Runtime

    from memcom_rank.export.executorch_model import executorch_model

    data = executorch_model(module, LENGTH)
    method = Runtime.get().load_program(data).load_method("forward")

    def run(
        history_1L: np.ndarray, kept: bytes = data
    ) -> np.ndarray:  # the runtime reads the bytes, and keeps them not
        return method.execute([torch.from_numpy(history_1L)])[0].numpy()

    return len(data), run


def litert(module: Pooled) -> tuple[int, Run]:
    from ai_edge_litert.interpreter import Interpreter

    from memcom_rank.export.litert_format import litert_model

    data = litert_model(module, LENGTH)
    run = Interpreter(model_content=data, num_threads=1).get_signature_runner()
    return len(data), lambda history_1L: run(args_0=history_1L.astype(np.int32))["output_0"]


def coreml(module: Pooled) -> tuple[int, None]:
    from memcom_rank.export.coreml_format import coreml_model

    return len(coreml_model(module, LENGTH, ["pooled"])), None


FORMATS: dict[str, Callable[[Pooled], tuple[int, Run | None]]] = {
    "onnx": onnx,
    "executorch": executorch,
    "litert": litert,
    "coreml": coreml,
}


def measure(run: Run, module: Pooled) -> tuple[float, float]:
    """Return milliseconds, the median of many calls, and the largest difference to torch."""
    generator = np.random.default_rng(0)
    histories = [generator.integers(2, NUM_IDS, (1, LENGTH)) for _ in range(50)]
    with torch.no_grad():
        error = max(float(np.abs(run(h) - module(torch.from_numpy(h)).numpy()).max()) for h in histories[:5])
    seconds = []
    for call in range(400):
        began = time.perf_counter()
        run(histories[call % len(histories)])
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[50:]) * 1e3, error


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return one line per technique, format and bits, beside the full table of as many bits."""
    lines = [
        "| technique | format | bits | bytes | ms | full table, bytes | ms | bytes ratio | latency ratio | overlap |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    found = {(row["technique"], row["format"], -row["bits"]): row for row in rows}
    for (technique, name, bits), ours in sorted(found.items()):
        full = found.get(("Full", name, bits))
        if full is None or ours is full:
            continue
        ratio = "not measured" if ours["ms"] is None else f"{ours['ms'] / full['ms']:.2f}"
        lines.append(
            f"| {technique} | {name} | {-bits} | {ours['bytes']:,} | {_ms(ours)} | {full['bytes']:,} | {_ms(full)} | "
            f"{full['bytes'] / ours['bytes']:.1f}x | {ratio} | {ours['overlap']:.1%} |"
        )
    return "\n".join(lines)


def _ms(row: dict[str, Any]) -> str:
    return "not measured" if row["ms"] is None else f"{row['ms']:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    kept = json.loads(args.output.read_text())["rows"] if args.output and args.output.exists() else []
    rows = {(row["format"], row["bits"], row["technique"]): row for row in kept}
    machine = {"machine": platform.machine(), "python": platform.python_version(), "torch": torch.__version__}
    for technique, bits in CASES:
        module, kept_best = part(technique, bits), 1.0 if technique == "Full" else overlap(technique, bits)
        for name in args.formats:
            try:
                size, run = FORMATS[name](module)
            except ExportError as error:
                print(f"{name}, {bits} bits, {technique}: {error}", flush=True)
                continue
            ms, error = (None, None) if run is None else measure(run, module)
            row = {"format": name, "bits": bits, "technique": technique, "bytes": size, "ms": ms, "error": error}
            row["overlap"] = kept_best
            rows[name, bits, technique] = row
            print(json.dumps(row), flush=True)
            if args.output:
                args.output.write_text(json.dumps({**machine, "rows": list(rows.values())}, indent=1) + "\n")
                args.output.with_suffix(".md").write_text(markdown(list(rows.values())) + "\n")
    print(markdown(list(rows.values())))


if __name__ == "__main__":
    main()
