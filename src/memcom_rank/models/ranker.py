"""Models room (floor 2): one scorer over (history, game), both sides through the same compressed table.

score(history, game) = <query(history), emb(game)> + bias(game); tying the two sides shrinks the whole model.
"""

import torch
from torch import Tensor, nn

from memcom_rank.contract.schemas import FIRST_GAME_ID
from memcom_rank.embeddings import CompressedEmbedding

_GATHER_COST = 8  # one gathered vector costs about as much as this many rows of a matrix product (measured on a CPU)


class Ranker(nn.Module):
    """Scores games for histories.

    Args:
        embedding: the table of both sides, width D, vocabulary V.
        encoder: history -> query [B, D].
        game_bias: whether each game has a score of its own (4 bytes a game, counted in the model's bytes).
    """

    def __init__(self, embedding: CompressedEmbedding, encoder: nn.Module, *, game_bias: bool) -> None:
        super().__init__()
        self.embedding, self.encoder = embedding, encoder
        self.game_bias = nn.Parameter(torch.zeros(embedding.num_ids)) if game_bias else None

    def forward(self, history_BL: Tensor) -> Tensor:
        """Return scores [B, V] of every id for each history; ids 0 and 1 are no games and to be ignored."""
        return self.score_all(self.encode(history_BL))

    def encode(self, history_BL: Tensor) -> Tensor:
        """Return queries [B, D]."""
        query_BD: Tensor = self.encoder(self.embedding, history_BL)
        return query_BD

    def score_all(self, query_BD: Tensor) -> Tensor:
        """Return scores [B, V] through the technique's own structure: never a V x D table."""
        scores_BV = self.embedding.score(query_BD)
        return scores_BV if self.game_bias is None else scores_BV + self.game_bias

    def score(self, query_BD: Tensor, games_BC: Tensor) -> Tensor:
        """Return scores [B, C] of chosen games (training: C = preferred + negatives)."""
        if games_BC.shape[1] * _GATHER_COST >= self.embedding.num_ids:  # small catalogue: cheaper to score all
            return self.score_all(query_BD).gather(1, games_BC)
        scores_BC = torch.einsum("bd,bcd->bc", query_BD, self.embedding(games_BC))
        return scores_BC if self.game_bias is None else scores_BC + self.game_bias[games_BC]

    @property
    def num_bytes(self) -> int:
        """Bytes at rest of the whole model: the embedding, the encoder and the per-game bias, in fp32."""
        embedding = {id(p) for p in self.embedding.parameters()}
        other = sum(p.numel() * p.element_size() for p in self.parameters() if id(p) not in embedding)
        return self.embedding.num_bytes + other

    def start_bias(self, popularity_G: Tensor) -> None:
        """Start the per-game bias at the log of the training popularity, centred; popularity is by id from 2."""
        if self.game_bias is not None:
            logs_G = popularity_G.clamp(min=1).float().log()
            with torch.no_grad():
                self.game_bias[FIRST_GAME_ID:] = logs_G - logs_G.mean()
