import pytest
import torch

from memcom_rank.embeddings import MEmCom, NaiveHash


@pytest.mark.parametrize("make", [MEmCom, NaiveHash])
def test_the_linear_form_is_the_score(make):
    torch.manual_seed(0)
    embedding, queries_BD = make(41, 8, target_ratio=2), torch.randn(3, 8)
    with torch.no_grad():
        for parameter in embedding.parameters():
            parameter.add_(torch.randn_like(parameter))
    row_V, scale_V, offset_V = embedding.linear_form()
    projected_BS, wanted_BV = embedding.project(queries_BD), embedding.score(queries_BD)
    for user in range(3):
        for i in range(1, 41):
            score = projected_BS[user, row_V[i]] * scale_V[i]
            if offset_V is not None:
                score = score + projected_BS[user, -1] * offset_V[i]
            assert torch.equal(score, wanted_BV[user, i])
