"""Save the gradients of one step of a task, taken by so many processes: python two_processes.py KIND PROCESSES OUTPUT.

The users of the step are dealt to the processes, which then hide very different numbers of games. Several processes
score in tiles, one at once.
"""

import sys

import torch
from pytorch_lightning import Callback

from memcom_rank import tasks
from memcom_rank.data import TrainBatch
from memcom_rank.models import PoolMatch
from memcom_rank.models import match as matching
from tests.tasks.small import task, trainer

HISTORY = [[2, 3], [2, 0], [5, 0], [6, 8]]
HELD = [[4, 6, 8, 9], [5, 7, 10, 3], [0, 7, 0, 0], [0, 0, 0, 0]]


def share(rank, processes):
    """The step of one process: its users, and the same negatives as all others."""
    history, held = (torch.tensor(ids).tensor_split(processes)[rank] for ids in (HISTORY, HELD))
    users = len(held)
    graded = torch.zeros(users, 0, dtype=torch.int64)
    return TrainBatch(
        seed=3,
        history=history,
        held=held,
        owned=torch.cat([history, held], 1),
        negatives=torch.tensor([11, 12, 13, 14]),
        real=torch.ones(users, 4, dtype=torch.bool),
        log_q=torch.zeros(4),
        preferred=graded,
        other=graded,
        weights=graded.float(),
    )


class Save(Callback):
    """Writes what the optimizer would see."""

    def __init__(self, output):
        self.output = output

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        gradients = {name: parameter.grad.clone() for name, parameter in pl_module.named_parameters()}
        if trainer.is_global_zero:
            torch.save(gradients, self.output)


class Steps(torch.utils.data.Dataset):
    """One step for each process; its own is found when it is asked for."""

    def __init__(self, processes):
        self.processes = processes

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return share(torch.distributed.get_rank() if self.processes > 1 else 0, self.processes)


def main(kind, processes, output):
    model = task(kind=getattr(tasks, kind), match=PoolMatch(dropout=0.0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.3)
    if processes > 1:
        matching._MAX_SCORES = 14  # of 18 games
    made = trainer(
        max_epochs=1,
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        use_distributed_sampler=False,
        limit_val_batches=0,
        callbacks=[Save(output)],
    )
    made.fit(model, torch.utils.data.DataLoader(Steps(processes), batch_size=None))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
