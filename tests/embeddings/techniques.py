"""The table of techniques: each joins every conformance test by its row here."""

import math
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from memcom_rank.embeddings import (
    Amtl,
    CompressedEmbedding,
    DeepHash,
    DoubleHash,
    FeatureHash,
    FrequencyDoubleHash,
    Full,
    HashEmbedding,
    LearnedHash,
    LowBit,
    LowRank,
    Mec,
    MEmCom,
    MemRec,
    MergeRare,
    MixedDim,
    MixedPrecision,
    NaiveHash,
    QuotientRemainder,
    ReducedDim,
    ResidualCodes,
    Truncated,
)
from tests.embeddings import references

NUM_IDS, DIM = 41, 8


@dataclass
class Row:
    """make: (num_ids, dim) -> technique; reference: (state, id) -> vector; num_bytes: (v, e, m), as in the docs.

    m is what the technique's attribute `size` holds. rounded: parameters whose gradient passes straight through a
    rounding; unused: by parameter, the values that are not stored and get no gradient; facts: what else the reference
    must know.
    """

    make: Callable[..., CompressedEmbedding]
    reference: Callable[[dict[str, Tensor], int], Tensor]
    num_bytes: Callable[[int, int, int], int]
    overlay: str
    size: str = "num_rows"
    rounded: Container[str] = ()
    unused: Callable[[CompressedEmbedding], dict[str, Tensor]] = field(default=lambda made: {})
    facts: Callable[[CompressedEmbedding], dict[str, int]] = field(default=lambda made: {})

    @property
    def close(self) -> dict[str, float]:
        """Tolerances: a step that is rounded to fp16 may be the next one, a thousandth away."""
        return {"rtol": 2e-3, "atol": 1e-3} if self.rounded else {}

    def table(self, made: CompressedEmbedding, state: dict[str, Tensor] | None = None) -> Tensor:
        """Every vector the slow way, from the state or another one of the same shapes."""
        reference = partial(self.reference, **self.facts(made))
        return references.table(reference, made.state_dict() if state is None else state, made.num_ids)


def merged(*sizes: int, **knobs: Any) -> CompressedEmbedding:
    made = MergeRare(*sizes, **knobs)
    made.table.tables[1].merged = True
    return made


def rest_of_merge_rare(made: CompressedEmbedding) -> dict[str, Tensor]:
    """The rare ids' own rows, which the shared ones have taken the place of; before that, the shared ones."""
    rows_MW, num_rare = made.table.tables[1].rows_MW, made.table.tables[1].num_rows
    own_MW = torch.arange(len(rows_MW))[:, None].expand_as(rows_MW) < num_rare
    return {"table.tables.1.rows_MW": ~own_MW if made.training and not made.table.tables[1].merged else own_MW}


def evaluating(kind: Callable[..., CompressedEmbedding], *sizes: int, **knobs: Any) -> CompressedEmbedding:
    return kind(*sizes, **knobs).eval()


TECHNIQUES = {
    "Full": Row(Full, references.full, lambda v, e, m: 4 * v * e, "full"),
    "NaiveHash": Row(
        partial(NaiveHash, target_ratio=3), references.naive_hash, lambda v, e, m: 4 * m * e, "naive_hash"
    ),
    "MEmCom": Row(
        partial(MEmCom, target_ratio=2), references.memcom, lambda v, e, m: 4 * (m * e + 2 * v), "memcom"
    ),
    "MEmCom without bias": Row(
        partial(MEmCom, bias=False, target_ratio=2), references.memcom, lambda v, e, m: 4 * (m * e + v), "memcom"
    ),
    "LowBit": Row(
        partial(LowBit, target_ratio=8.5),
        partial(references.low_bit, bits=2),
        lambda v, e, m: -(-v * (e - 1) * 2 // 8) + 2 * v,
        "low_bit",
        rounded={"table.rows_MW"},
    ),
    "LowBit at full width": Row(
        partial(LowBit, bits=4, target_ratio=4),
        partial(references.low_bit, bits=4),
        lambda v, e, m: -(-v * e * 4 // 8) + 2 * v,
        "low_bit",
        rounded={"table.rows_MW"},
    ),
    "Truncated": Row(
        partial(Truncated, target_ratio=3), references.truncated, lambda v, e, m: 4 * m * e, "truncated"
    ),
    "ReducedDim": Row(
        partial(ReducedDim, target_ratio=2), references.reduced_dim, lambda v, e, m: 4 * v * m, "reduced_dim", "width"
    ),
    "LowRank": Row(
        partial(LowRank, target_ratio=2), references.low_rank, lambda v, e, m: 4 * m * (v + e), "low_rank", "rank"
    ),
    "MixedDim": Row(
        partial(MixedDim, target_ratio=2), references.mixed_dim, references.mixed_dim_bytes, "mixed_dim", "widths"
    ),
    "MixedDim of one width": Row(
        partial(MixedDim, temperature=0.0, target_ratio=2),
        references.mixed_dim, references.mixed_dim_bytes, "mixed_dim", "widths",
    ),
    **{
        f"DoubleHash {combine}": Row(
            partial(DoubleHash, combine=combine, target_ratio=2),
            partial(references.double_hash, combine=combine), num_bytes, "double_hash",
        )
        for combine, num_bytes in [
            ("add", lambda v, e, m: 8 * m * e), ("concat", lambda v, e, m: 4 * m * e)
        ]
    },
    **{
        f"QuotientRemainder {combine}": Row(
            partial(QuotientRemainder, combine=combine, target_ratio=2),
            partial(references.quotient_remainder, combine=combine), num_bytes, "quotient_remainder",
        )
        for combine, num_bytes in [
            ("multiply", lambda v, e, m: 4 * (-((1 - v) // m) + m) * e),
            ("add", lambda v, e, m: 4 * (-((1 - v) // m) + m) * e),
            ("concat", lambda v, e, m: 2 * (-((1 - v) // m) + m) * e),
        ]
    },
    **{
        f"FrequencyDoubleHash {share}": Row(
            partial(FrequencyDoubleHash, own_share=share, target_ratio=2),
            partial(references.frequency_double_hash, own_share=share),
            lambda v, e, m: 4 * m * e, "frequency_double_hash",
        )
        for share in (0.0, 0.5, 1.0)
    },
    **{
        f"FeatureHash {hashes}": Row(
            partial(FeatureHash, num_hashes=hashes, target_ratio=3),
            partial(references.feature_hash, num_hashes=hashes),
            lambda v, e, m: 4 * m * e, "feature_hash",
        )
        for hashes in (1, 3)
    },
    "HashEmbedding": Row(
        partial(HashEmbedding, target_ratio=2), references.hash_embedding, lambda v, e, m: 4 * (m * e + 2 * v),
        "hash_embedding",
    ),
    "MemRec": Row(
        partial(MemRec, target_ratio=2.5),
        references.mem_rec,
        lambda v, e, m: 4 * (m * e + m * e // 3),  # a quarter are scalars
        "mem_rec",
    ),
    "MemRec of three hashes and one": Row(
        partial(MemRec, num_hashes=3, num_scale_hashes=1, scale_share=0.5, target_ratio=2),
        partial(references.mem_rec, rows_per_id=3, scales_per_id=1),
        lambda v, e, m: 4 * (m * e + min(m * e, v - 1)),
        "mem_rec",
    ),
    "LearnedHash": Row(
        partial(LearnedHash, num_factors=4, target_ratio=2.5),
        references.learned_hash,
        lambda v, e, m: 4 * m * e + -(-v * math.ceil(math.log2(m)) // 8),
        "learned_hash",
    ),
    "Mec": Row(
        partial(Mec, num_codebooks=4, target_ratio=2),
        references.mec,
        lambda v, e, m: 4 * m * e + -(-v * 4 * math.ceil(math.log2(m)) // 8),
        "mec",
        size="num_codewords",
    ),
    "Amtl": Row(
        partial(Amtl, target_ratio=2),
        references.amtl,
        lambda v, e, m: 4 * m + 6 * min(v - 1, 32),
        "amtl",
        size="num_unmasked",
        rounded={f"table.networks.{n}.{k}.{p}" for n in (0, 1) for k in (0, 2) for p in ("weight", "bias")},
        unused=lambda made: {"table.rows_MW": made.dense()[1:] == 0},
        facts=lambda made: {"num_values": made.table.num_values},
    ),
    "MixedPrecision": Row(  # in evaluation: training rounds at random
        partial(evaluating, MixedPrecision, bits=8, target_ratio=2),
        partial(references.mixed_precision, bits=8),
        lambda v, e, m: 4 * m * e + (v - 1 - m) * (e + 2),
        "mixed_precision",
        rounded={"table.tables.1.rows_MW"},
    ),
    "DeepHash": Row(
        partial(DeepHash, num_hashes=5, num_layers=2, target_ratio=1.1),
        references.deep_hash,
        lambda v, e, m: 4 * (6 * m + (m + 1) * m + (m + 1) * e),
        "deep_hash",
        size="num_units",
    ),
    "ResidualCodes": Row(
        partial(ResidualCodes, num_codes=3, target_ratio=5),
        partial(references.residual_codes, bits=8),
        lambda v, e, m: 3 * m * (e + 2) + -(-v * 3 * (m - 1).bit_length() // 8) + v + 2,
        "residual_codes",
        rounded={"codebooks.rows_MW", "scale.values_N"},
    ),
    "ResidualCodes without multiplier": Row(
        partial(ResidualCodes, num_codes=2, bits=2, multiplier=False, target_ratio=9),
        partial(references.residual_codes, bits=2),
        lambda v, e, m: 2 * m * (e * 2 // 8 + 2) + -(-v * 2 * (m - 1).bit_length() // 8),
        "residual_codes",
        rounded={"codebooks.rows_MW"},
    ),
    **{
        f"MergeRare {mode}": Row(
            make,
            partial(references.merge_rare, own=own),
            references.merge_rare_bytes,
            "merge_rare",
            size="sizes",
            rounded={"table.tables.0.rows_MW", "table.tables.1.rows_MW"},
            unused=rest_of_merge_rare,
        )
        for mode, make, own in [
            ("of rows of their own", partial(MergeRare, bits=2, shared_share=0.3, target_ratio=12), True),
            ("evaluated", partial(evaluating, MergeRare, bits=2, shared_share=0.3, target_ratio=12), False),
            ("merged", partial(merged, bits=2, shared_share=0.3, target_ratio=12), False),
        ]
    },
}  # fmt: skip
