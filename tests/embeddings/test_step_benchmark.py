import sys

import torch

from benchmarks import embedding_step
from memcom_rank.embeddings import Full


def test_the_best_full_formulation_sums_the_same_gradient():
    full, ids_BL, weights_BL, grad_BD = Full(20, 3), torch.randint(2, 20, (4, 6)), torch.rand(4, 6), torch.randn(4, 3)
    (full.table()[ids_BL] * weights_BL.unsqueeze(-1)).sum(dim=1).backward(grad_BD)
    used = embedding_step.Used(ids_BL)
    assert used.ids_U.tolist() == sorted(set(ids_BL.flatten().tolist()))
    grad_VD = torch.zeros(20, 3).index_copy(0, used.ids_U, used.gradient(weights_BL, grad_BD))
    torch.testing.assert_close(grad_VD, full.table().grad)


def test_the_used_rows_pool_as_the_table_does():
    table_VD, ids_BL, weights_BL = torch.randn(20, 3), torch.randint(2, 20, (4, 6)), torch.rand(4, 6)
    used = embedding_step.Used(ids_BL)
    wanted_BD = (table_VD[ids_BL] * weights_BL.unsqueeze(-1)).sum(dim=1)
    torch.testing.assert_close(used.pool(table_VD[used.ids_U], weights_BL), wanted_BD)


def test_every_formulation_runs_and_gets_a_line(monkeypatch, capsys):
    small = "embedding_step.py --num-ids 2000 --dim 64 --batch 4 --length 5 --repeats 1"
    monkeypatch.setattr(sys, "argv", [*small.split(), "--threads", str(torch.get_num_threads())])
    embedding_step.main()
    assert capsys.readouterr().out.count("\n") == 2 + len(embedding_step.FORMULATIONS)
