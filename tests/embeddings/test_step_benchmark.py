import sys

import torch

from benchmarks import embedding_step
from memcom_rank.embeddings import Full


def test_the_best_full_formulation_sums_the_same_gradient():
    full, ids_BL, weights_BL, grad_BD = Full(20, 3), torch.randint(2, 20, (4, 6)), torch.rand(4, 6), torch.randn(4, 3)
    (full.table()[ids_BL] * weights_BL.unsqueeze(-1)).sum(dim=1).backward(grad_BD)
    used_U, grad_UD = embedding_step.used_rows(ids_BL, weights_BL, grad_BD)
    assert used_U.tolist() == sorted(set(ids_BL.flatten().tolist()))
    torch.testing.assert_close(torch.zeros(20, 3).index_copy(0, used_U, grad_UD), full.table().grad)


def test_every_formulation_runs_and_gets_a_line(monkeypatch, capsys):
    small = "embedding_step.py --num-ids 500 --dim 64 --batch 4 --length 5 --repeats 1"
    monkeypatch.setattr(sys, "argv", [*small.split(), "--threads", str(torch.get_num_threads())])
    embedding_step.main()
    assert capsys.readouterr().out.count("\n") == 2 + len(embedding_step.FORMULATIONS)
