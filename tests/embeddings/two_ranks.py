"""Two steps of DDP with every technique, on one of two processes: python two_ranks.py RANK RENDEZVOUS_FILE OUTPUT."""

import sys

import torch
from torch import nn
from torch.distributed import destroy_process_group, init_process_group
from torch.nn.parallel import DistributedDataParallel

from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.embeddings.hashing import hash_constants, modulo, polynomial_hash
from tests.embeddings.techniques import DIM, NUM_IDS, TECHNIQUES
from tests.embeddings.test_conformance import some_ids, some_weights, toy_interactions


class Model(nn.Module):
    """Scores of all games for queries that are pooled histories, as in the recipes."""

    def __init__(self, embedding: CompressedEmbedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, ids_BL: torch.Tensor, weights_BL: torch.Tensor) -> torch.Tensor:
        return self.embedding.score(self.embedding.pool(ids_BL, weights_BL))


def trained(make, rank: int) -> dict[str, torch.Tensor]:
    """The state after two steps, each rank with users of its own."""
    torch.manual_seed(0)
    embedding = make(NUM_IDS, DIM).train()
    embedding.start(*toy_interactions(NUM_IDS))
    model = DistributedDataParallel(Model(embedding), broadcast_buffers=False)  # refuses parameters without a gradient
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    ids_BL, weights_BL = (values.view(2, 2, 5)[rank] for values in (some_ids(4, 5), some_weights(4, 5)))
    for _ in range(2):
        optimizer.zero_grad()
        model(ids_BL, weights_BL).square().mean().backward()
        optimizer.step()
    return embedding.state_dict()


def main(rank: int, rendezvous: str, output: str) -> None:
    torch.set_num_threads(1)
    init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    ids = torch.arange(NUM_IDS)
    hashes = {f"hash {n}": polynomial_hash(ids, hash_constants(n), 7) for n in range(8)} | {"modulo": modulo(ids, 7)}
    torch.save({"hashes": hashes} | {name: trained(row.make, rank) for name, row in TECHNIQUES.items()}, output)
    destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
