"""Models room (floor 2): the classification network of MEmCom (arXiv 2203.10135). Takes histories -> gives scores.

    history ids -> embedding -> masked average -> ReLU, BatchNorm, dropout
                -> [Dense, ReLU, BatchNorm, dropout] for each width -> Dense over all games, or all labels

The embedding is the input side alone. The last layer is a full matrix, which compressing the input leaves as it is.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.models.scorer import Scorer


class PaperNetwork(Scorer):
    """Average pooling, dense blocks and a dense output layer.

    Args:
        embedding: the table of the input side, width D, vocabulary V.
        widths: of the dense blocks between pooling and output; none for the output layer alone.
        dropout: share of values dropped in training, in every block.
        num_outputs: C, classes that are scored; by default the V ids of the vocabulary.

    Raises:
        ConfigError: a width is below 1.
    """

    def __init__(
        self,
        embedding: CompressedEmbedding,
        *,
        widths: Sequence[int],
        dropout: float,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__(embedding)
        if any(width < 1 for width in widths):
            raise ConfigError(f"widths is {list(widths)}", wanted="each at least 1", fix="try [256]")
        layers, inside = _norm(embedding.dim, dropout), embedding.dim
        for width in widths:
            layers += [nn.Linear(inside, width), *_norm(width, dropout)]
            inside = width
        self.blocks = nn.Sequential(*layers)
        self.output = nn.Linear(inside, embedding.num_ids if num_outputs is None else num_outputs)

    def forward(self, history_BL: Tensor) -> Tensor:
        """Return scores [B, C] of every class, see the base.

        In training, histories are normalised together, and there must be two or more.
        """
        real_BL = (history_BL != PADDING_ID).float()
        pooled_BD = self.embedding.pool(history_BL, real_BL / real_BL.sum(1, keepdim=True).clamp(min=1))
        scores_BC: Tensor = self.output(self.blocks(pooled_BD))
        return scores_BC


def _norm(width: int, dropout: float) -> list[nn.Module]:
    return [nn.ReLU(), nn.BatchNorm1d(width), nn.Dropout(dropout)]
