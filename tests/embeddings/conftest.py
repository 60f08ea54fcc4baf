"""Every technique of the table, in turn: tests that take `row`, `embedding` or `table_VD` are run for all."""

import pytest
import torch
from torch import Tensor

from memcom_rank.embeddings import CompressedEmbedding
from tests.embeddings.techniques import DIM, NUM_IDS, TECHNIQUES, Row


@pytest.fixture(autouse=True)
def seed() -> None:
    """A step rounded to fp16 from the middle of two may come out either way: the same values on every run."""
    torch.manual_seed(0)


@pytest.fixture(params=TECHNIQUES.values(), ids=TECHNIQUES.keys())
def row(request: pytest.FixtureRequest) -> Row:
    return request.param


@pytest.fixture
def embedding(row: Row) -> CompressedEmbedding:
    """A technique with every parameter away from its start, so that no term hides behind a 0 or 1."""
    torch.manual_seed(0)
    made = row.make(NUM_IDS, DIM)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter))
    return made


@pytest.fixture
def table_VD(row: Row, embedding: CompressedEmbedding) -> Tensor:
    return row.table(embedding)
