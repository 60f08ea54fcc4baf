"""Data room (floor 2): one training step's or one evaluation step's tensors, made from user rows without a loop.

A map-style dataset is indexed by a whole batch at once (a `BatchKey`), so any step can be made again from its key.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from memcom_rank.data.dataset import Queries, RankingDataset
from memcom_rank.data.sampling import NegativeSampler, forget, halve


class BatchKey(NamedTuple):
    """Names one step: its user rows int64 [B] and the seed of its random choices."""

    rows: Tensor
    seed: int


class TrainBatch(NamedTuple):
    """One training step. All ids are int64, padded with 0.

    Attributes:
        history: [B, L], the half of each user's games that the ranker sees.
        held: [B, P], games of the other half: preferred to every negative.
        negatives: [B, K], games the user has not in training, for each of the P held games of the same row.
        preferred: [B, G], first games of graded pairs among the user's own games.
        other: [B, G], their less preferred partners.
        weights: float32 [B, G], how much each graded pair counts; 0 where padded.
    """

    history: Tensor
    held: Tensor
    negatives: Tensor
    preferred: Tensor
    other: Tensor
    weights: Tensor


class QueryBatch(NamedTuple):
    """One evaluation step. All ids are int64, padded with 0.

    Attributes:
        rows: [B], user rows.
        history: [B, L], the games the ranker sees; they are removed from its ranking.
        targets: [B, T], held-out games to be found.
        grades: [B, T], their grades.
    """

    rows: Tensor
    history: Tensor
    targets: Tensor
    grades: Tensor


class TrainBatches(Dataset[TrainBatch]):
    """Training steps of a dataset.

    Args:
        dataset: where the histories and graded pairs come from.
        num_negatives: K, sampled games per user, shared by the user's held games.
        max_history: longest kept half; a longer one is cut at random.
        max_held: P, most held games per user and step; more are cut at random.
        num_graded: G, graded pairs per user and step, drawn with replacement.
        forget_share: share of history games replaced by the unknown id.
    """

    def __init__(
        self,
        dataset: RankingDataset,
        *,
        num_negatives: int,
        max_history: int,
        max_held: int,
        num_graded: int,
        forget_share: float,
    ) -> None:
        self.dataset = dataset
        self.sampler = NegativeSampler(dataset.histories, dataset.manifest.num_ids)
        self.num_negatives, self.num_graded = num_negatives, num_graded
        self.max_history, self.max_held, self.forget_share = max_history, max_held, forget_share

    def __getitem__(self, key: BatchKey) -> TrainBatch:
        generator = Generator().manual_seed(key.seed)
        kept, held = halve(self.dataset.histories.padded(key.rows), generator)
        history = forget(kept[:, : self.max_history], self.forget_share, generator)
        negatives = self.sampler.draw(key.rows, self.num_negatives, generator)
        return TrainBatch(history, held[:, : self.max_held], negatives, *self._graded(key.rows, generator))

    def _graded(self, rows_B: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
        data = self.dataset
        starts_B1, counts_B1 = data.pair_offsets[rows_B, None], data.pair_offsets.diff()[rows_B, None]
        shape = (len(rows_B), self.num_graded if len(data.preferred) else 0)
        place_BG = (torch.rand(shape, generator=generator, dtype=torch.float64) * counts_B1).long()
        index_BG = (starts_B1 + place_BG).clamp(max=max(len(data.preferred) - 1, 0))
        real_BG = (counts_B1 > 0).expand(shape)
        return (
            data.preferred[index_BG].where(real_BG, 0),
            data.other[index_BG].where(real_BG, 0),
            data.pair_weights[index_BG].where(real_BG, 0.0),
        )


class QueryBatches(Dataset[QueryBatch]):
    """Evaluation steps of a split; a `BatchKey` names positions in `queries`, not user rows."""

    def __init__(self, queries: Queries) -> None:
        self.queries = queries

    def __getitem__(self, key: BatchKey) -> QueryBatch:
        queries, positions = self.queries, key.rows
        return QueryBatch(
            queries.rows[positions],
            queries.histories.padded(positions),
            queries.targets.padded(positions),
            queries.grades.padded(positions),
        )

    def order(self) -> Tensor:
        """Return all positions, shortest targets and histories first, so that a batch holds little padding."""
        longest = int(self.queries.histories.lengths.max()) if len(self.queries.rows) else 0
        return (self.queries.targets.lengths * (longest + 1) + self.queries.histories.lengths).argsort(stable=True)
