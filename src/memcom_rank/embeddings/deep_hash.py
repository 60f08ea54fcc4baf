"""Embedding room (floor 1): deep hash embedding, DHE (arXiv 2010.10784): no table, a network makes the vectors.

An id is k numbers, universal hashes (((a i + b) mod p) i + c) mod p mod 10^6 scaled to [-1, 1], and a small network
turns them into its vector:

    x -> [linear, Mish, norm] x L -> linear            4 (k h + h + (L - 1) (h^2 + h) + h e + e) bytes

The hashes are fixed (`hashing.hash_constants`) and cost nothing at rest. The paper normalises with batch statistics;
here each id's units are divided by their root mean square, so that a vector does not depend on
the batch. Every id costs a pass through the network, also when the whole catalogue is scored.
"""

from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.base import FP32_BYTES, LookupEmbedding
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.hashing import hash_constants, polynomial_hash

_VALUES = 10**6  # of a hash


@final
class DeepHash(LookupEmbedding):
    """`num_hashes` fixed hashes and a network of `num_layers` hidden layers, `num_units` wide each.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        num_hashes: k.
        num_layers: L, hidden layers.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: a network of 1 unit per layer does not fit.
        ConfigError: a knob is missing, doubled or out of range.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        num_hashes: int = 256,
        num_layers: int = 3,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        if num_hashes < 1 or num_layers < 1:
            raise ConfigError(
                f"num_hashes is {num_hashes}, num_layers {num_layers}",
                wanted="at least 1 of each",
                fix="use e.g. 256 and 3",
            )

        def widths(units: int) -> list[int]:
            return [num_hashes, *[units] * num_layers, dim]

        def bytes_of(units: int) -> int:
            return sum((a + 1) * b for a, b in pairwise(widths(units))) * FP32_BYTES

        limit = limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes)
        self.num_units = largest_size(
            f"DeepHash with num_hashes: {num_hashes}",
            bytes_of,
            min(limit, max(self.full_bytes, bytes_of(1))),  # a network larger than the full table is idle
            at_most=num_ids * dim,
            table=(num_ids, dim),
        )
        layers: list[nn.Module] = []
        for before, after in pairwise(widths(self.num_units)[:-1]):
            hidden = nn.Linear(before, after)
            nn.init.kaiming_normal_(hidden.weight)
            layers += [hidden, nn.Mish(), nn.RMSNorm(after, eps=1e-6, elementwise_affine=False)]
        last = nn.Linear(self.num_units, dim)
        nn.init.orthogonal_(last.weight, gain=min(dim, self.num_units) ** -0.5)  # norm 1 for units of mean square 1
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(*layers, last)
        self.constants_3K: Tensor
        constants_K3 = torch.tensor([hash_constants(number) for number in range(num_hashes)])
        self.register_buffer("constants_3K", constants_K3.T.contiguous(), persistent=False)

    def _vectors(self, ids_N: Tensor) -> Tensor:
        vectors_ND: Tensor = self.network(self._hashes(ids_N).to(self.like.dtype))
        return vectors_ND

    def _hashes(self, ids_N: Tensor) -> Tensor:
        """Return the hashes [N, k] of ids, fp32, from -1 to 1."""
        a_K, b_K, c_K = self.constants_3K
        return polynomial_hash(ids_N[:, None], (a_K, b_K, c_K), _VALUES) * (2 / (_VALUES - 1)) - 1
