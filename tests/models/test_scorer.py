import pytest
import torch
from torch import nn

from memcom_rank.models import PaperNetwork, PoolMatch, Ranker, Scorer
from tests.models.references import EMBEDDINGS


class Extra(Scorer):
    """Beside its embedding: 3 weights and a buffer that is kept; another buffer is not."""

    def __init__(self, embedding):
        super().__init__(embedding)
        self.weight = nn.Parameter(torch.zeros(3))
        self.register_buffer("kept", torch.zeros(2, dtype=torch.int64))
        self.register_buffer("made_again", torch.zeros(100), persistent=False)

    def forward(self, history_BL):
        raise NotImplementedError


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_bytes_are_the_embeddings_and_what_a_checkpoint_holds_beside_it(embedding):
    made = EMBEDDINGS[embedding]()
    assert Extra(made).num_bytes == made.num_bytes + 3 * 4 + 2 * 8


def test_every_model_is_a_scorer():
    embedding = EMBEDDINGS["full"]()
    assert isinstance(Ranker(embedding, PoolMatch(), game_bias=True), Scorer)
    assert isinstance(PaperNetwork(embedding, widths=[], dropout=0.0), Scorer)
