"""Tasks room (floor 3): next-game classification over the whole catalogue, as a LightningModule.

The scorer of RankNet under another loss: a softmax over all games the user has not, instead of pairs with sampled ones.
"""

from collections.abc import Callable, Sequence
from typing import final

from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.data import RankingData, TrainBatch
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.losses import tiled_softmax_loss
from memcom_rank.models import Matcher, Ranker
from memcom_rank.tasks.ranking import RankingTask


@final
class Classifier(RankingTask):
    """Names the games that are hidden from a user's history; output and input share one compressed table.

    A step scores users x games, above a few million of them in tiles, so that time grows with the catalogue and memory
    does not. With `LogSumExpMatch` that is history games x games: for catalogues up to some ten thousand.

    Args:
        num_ids: vocabulary of the dataset, padding and unknown included; the command line fills it in.
        embedding: technique with its knobs, called with (num_ids, dim).
        dim: embedding width D.
        match: how a history and a game are compared.
        game_bias: whether each game has a score of its own, started at its log popularity; 4 bytes a game, counted
            in the model's bytes.
        learning_rate: of Adam's first step; it falls to 0 over the run.
        ks: cutoffs of the metrics; null is the full catalogue.
        top_k: games per user that `predict` returns.
    """

    def __init__(
        self,
        num_ids: int,
        embedding: Callable[[int, int], CompressedEmbedding],
        match: Matcher,
        *,
        dim: int = 256,
        game_bias: bool = True,
        learning_rate: float = 5e-3,
        ks: Sequence[int | None] = (10, 20, None),
        top_k: int = 10,
    ) -> None:
        super().__init__(num_ids, learning_rate=learning_rate, ks=ks, top_k=top_k)
        self.ranker: Ranker = Ranker(embedding(num_ids, dim), match, game_bias=game_bias)

    def begin(self, data: RankingData) -> None:
        """Start training from the games' popularity.

        Raises:
            ConfigError: negatives or graded pairs are drawn, which a classifier does not use.
        """
        refuse_sampling(data)
        self.ranker.start_bias(data.dataset.popularity())

    def loss(self, batch: TrainBatch) -> Tensor:
        """Return the cross entropy of the hidden games."""
        hidden_B = (batch.held != PADDING_ID).sum(1)
        weights_B = hidden_B.clamp(min=1) ** -0.5  # a user counts by the root of its hidden games, docs/experiments.md
        loss = tiled_softmax_loss(self.ranker.tiles(batch.history), batch.held, batch.owned, weights_B)
        return self.over_processes(loss, (weights_B * hidden_B).sum())


def refuse_sampling(data: RankingData) -> None:
    """Refuse batches that hold what a classifier does not use.

    Raises:
        ConfigError: negatives or graded pairs are drawn.
    """
    negatives, in_batch, graded = (data.hparams[name] for name in ("num_negatives", "in_batch", "num_graded"))
    if negatives or in_batch or graded:
        raise ConfigError(
            f"data.num_negatives is {negatives}, data.in_batch is {in_batch} and data.num_graded is {graded}",
            wanted="0, False and 0: a classifier compares hidden games with the whole catalogue",
            fix="pass --data.num_negatives 0 --data.in_batch false --data.num_graded 0",
        )
