"""Models room (floor 2): what every model is to tasks and reports: a compressed embedding and scores of classes."""

import abc

from torch import Tensor, nn

from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.embeddings.base import FP32_BYTES


class Scorer(nn.Module, abc.ABC):
    """Scores every game, or every label, for a history of games.

    Args:
        embedding: the compressed table that histories are looked up in, vocabulary V.
    """

    def __init__(self, embedding: CompressedEmbedding) -> None:
        super().__init__()
        self.embedding = embedding

    @abc.abstractmethod
    def forward(self, history_BL: Tensor) -> Tensor:
        """Return scores [B, V] of every id for int64 histories padded with 0; those of ids 0 and 1 mean nothing.

        Of a network over C labels: [B, C].
        """

    @property
    def num_bytes(self) -> int:
        """Bytes at rest of the whole model: the embedding and all beside it that a checkpoint holds, floats in fp32."""
        state = self.state_dict()
        beside = [tensor for name, tensor in state.items() if not name.startswith("embedding.")]
        return self.embedding.num_bytes + sum(_stored_bytes(tensor) for tensor in beside)


def _stored_bytes(tensor: Tensor) -> int:
    return int(tensor.numel()) * (FP32_BYTES if tensor.is_floating_point() else tensor.element_size())
