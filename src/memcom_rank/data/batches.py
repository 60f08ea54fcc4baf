"""Data room (floor 2): one training step's or one evaluation step's tensors, made from user rows without a loop.

A map-style dataset is indexed by a whole batch at once (a `BatchKey`), so any step can be made again from its key.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.data.dataset import Queries, RankingDataset
from memcom_rank.data.negatives import Negatives
from memcom_rank.data.sampling import forget, hide, hide_latest


class BatchKey(NamedTuple):
    """Names one step: its user rows int64 [B] and the seed of its random choices."""

    rows: Tensor
    seed: int


class TrainBatch(NamedTuple):
    """One training step. All ids are int64, 0 where there is none.

    Attributes:
        seed: of the random choices left to the ranker (dropout), so that any step can be taken again.
        history: [B, L], the games of each user that the ranker sees.
        held: [B, L], its hidden games: preferred to every negative.
        owned: all its training games, neither cut to `max_history` nor forgotten, [B, longest of the step].
        negatives: [K], distinct games, shared by the users of the step.
        real: bool [B, K], whether a negative is one for this user: not in its training history.
        log_q: float32 [K], log probability of being among the negatives of the step.
        preferred: [B, G], first games of graded pairs among the user's own games.
        other: [B, G], their less preferred partners.
        weights: float32 [B, G], how much each graded pair counts; 0 where there is none.
    """

    seed: int
    history: Tensor
    held: Tensor
    owned: Tensor
    negatives: Tensor
    real: Tensor
    log_q: Tensor
    preferred: Tensor
    other: Tensor
    weights: Tensor

    @property
    def examples(self) -> Tensor:
        """How many rows of (history, hidden game) the step has, a whole number on the batch's device."""
        return (self.held != PADDING_ID).sum()


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
        num_negatives, negative_power, in_batch: where the negatives come from, see `Negatives`.
        keep_share: least and greatest share of a history that the ranker sees.
        latest: whether the hidden rest is the end of the history, or a random part of it.
        max_history: most games of a user in a step; of a longer history a random part is taken.
        num_graded: G, graded pairs per user and step, drawn with replacement.
        forget_share: share of history games replaced by the unknown id.
    """

    def __init__(
        self,
        dataset: RankingDataset,
        *,
        num_negatives: int,
        negative_power: float,
        in_batch: bool,
        keep_share: tuple[float, float],
        latest: bool,
        max_history: int,
        num_graded: int,
        forget_share: float,
    ) -> None:
        self.dataset = dataset
        self.negatives = Negatives(dataset.popularity(), count=num_negatives, power=negative_power, in_batch=in_batch)
        self.keep_share, self.hide, self.max_history = keep_share, hide_latest if latest else hide, max_history
        self.num_graded, self.forget_share = num_graded, forget_share

    def __getitem__(self, key: BatchKey) -> TrainBatch:
        generator = Generator().manual_seed(key.seed)
        owned = self.dataset.histories.padded(key.rows)
        kept, held = self.hide(self._shortened(owned, generator), self.keep_share, generator)
        negatives, real, log_q = self.negatives.draw(held, owned, generator)
        history = forget(kept, self.forget_share, generator)
        graded = self._graded(key.rows, generator)
        seed = int(torch.randint(2**63 - 1, (), generator=generator))
        return TrainBatch(seed, history, held, owned, negatives, real, log_q, *graded)

    def _shortened(self, owned_BL: Tensor, generator: Generator) -> Tensor:
        """Cut long histories to `max_history` games: one at random from each of as many equal stretches, in order."""
        if owned_BL.shape[1] <= self.max_history:
            return owned_BL
        most = self.max_history
        length_B1 = (owned_BL != PADDING_ID).sum(1, keepdim=True)
        # whole numbers, so that stretches share no game; each holds one where the history is short
        edges_BE = torch.arange(most + 1) * length_B1.clamp(min=most) // most
        jitter_BM = torch.rand(len(owned_BL), most, generator=generator, dtype=torch.float64)
        return owned_BL.gather(1, edges_BE[:, :-1] + (jitter_BM * edges_BE.diff()).long())

    def _graded(self, rows_B: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
        data = self.dataset
        starts_B1 = data.pair_offsets[rows_B, None]
        counts_B1 = data.pair_offsets[rows_B + 1, None] - starts_B1
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
