"""Models room (floor 2): how a history and a game are matched. Takes histories -> gives scores of games.

A matcher never asks for a game's vector: it makes queries, and is handed their scores against the games wanted: chosen
ones, a tile of the catalogue, or the whole of it through the technique's own structure.
"""

import abc
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.embeddings.bag import distinct, weighted_bag

_MAX_EXPONENT = 60.0  # exp, and its sum over the longest history, stay finite in fp32
_LEAST_SHARE = 1e-12  # its logarithm, and the gradient of that, are finite
_MAX_SCORES = 6 * 2**20  # users x games scored at once in training: 24 MB of fp32 (32 MB and more are slow to allocate)
_MAX_LIKENESS = 2**26  # history games x games compared at once: 256 MB of fp32


class Query(NamedTuple):
    """Queries [Q, W] for W components of a game's vector, those from `first` on."""

    values: Tensor
    first: int = 0

    def whole(self, dim: int) -> Tensor:
        """Return them with zeros for the other components: [Q, dim]."""
        behind = dim - self.first - self.values.shape[1]
        return pad(self.values, (self.first, behind)) if self.first or behind else self.values


def all_games(embedding: CompressedEmbedding) -> Callable[[Query], Tensor]:
    """Return what scores every id for queries, through the technique's structure: [Q, V]."""
    return lambda query: embedding.score(query.whole(embedding.dim))


class Encoded(NamedTuple):
    """What histories say: queries, to be scored against games, and what joins the scores."""

    queries: tuple[Query, ...]
    context: tuple[Tensor, ...] = ()


class Matcher(nn.Module, abc.ABC):
    """Compares histories with games, in two steps: what the histories say, once, then any games against it."""

    @abc.abstractmethod
    def encode(self, embedding: CompressedEmbedding, history_BL: Tensor) -> Encoded:
        """Return queries, and what `compare` needs beside their scores, of int64 histories padded with 0.

        All dropout is drawn here.
        """

    @abc.abstractmethod
    def compare(self, scores: Sequence[Tensor], context: Sequence[Tensor]) -> Tensor:
        """Return scores [B, C] of games, from their scores [Q, C] for each of the encoded queries."""

    @abc.abstractmethod
    def games_at_once(self, encoded: Encoded) -> int:
        """Return how many games to compare at once in training, at least 1, so that memory has a limit."""

    def forward(self, embedding: CompressedEmbedding, history_BL: Tensor, score: Callable[[Query], Tensor]) -> Tensor:
        """Return scores [B, C] for int64 histories padded with 0; `score` takes Q queries -> gives [Q, C]."""
        encoded = self.encode(embedding, history_BL)
        return self.compare([score(query) for query in encoded.queries], encoded.context)


class PoolMatch(Matcher):
    """One query per history: score = <tanh(sum_i emb(i) / n^power), emb(game)>.

    power 1 is average pooling (MEmCom, arXiv 2203.10135); 0.5 keeps a longer history louder. An empty history has
    the zero query, so that only the per-game bias speaks: a new user gets the popular games. The cheapest matcher,
    for catalogues of any size.

    Args:
        power: how far the sum is divided by the number of games n; 0 sums, 1 averages.
        dropout: share of the query's values dropped in training.
    """

    def __init__(self, *, power: float = 0.5, dropout: float = 0.1) -> None:
        super().__init__()
        self.power, self.dropout = power, nn.Dropout(dropout)

    def encode(self, embedding: CompressedEmbedding, history_BL: Tensor) -> Encoded:
        """See the base."""
        return Encoded((Query(self.query(embedding, history_BL)),))

    def compare(self, scores: Sequence[Tensor], context: Sequence[Tensor]) -> Tensor:
        """See the base."""
        return scores[0]

    def games_at_once(self, encoded: Encoded) -> int:
        """See the base."""
        return _at_once(_MAX_SCORES, encoded.queries[0].values)

    def query(self, embedding: CompressedEmbedding, history_BL: Tensor) -> Tensor:
        """Return queries [B, D]."""
        real_BL = (history_BL != PADDING_ID).float()
        count_B1 = real_BL.sum(1, keepdim=True).clamp(min=1)
        pooled_BD = embedding.pool(history_BL, real_BL / count_B1**self.power)
        return self.dropout(torch.tanh(pooled_BD))  # type: ignore[no-any-return]


class LogSumExpMatch(Matcher):
    """A soft maximum over the history: the game must resemble some of what was played, not the average of it.

    The first `dim - match_dim` components are pooled as in `PoolMatch`; on the last `match_dim` each game i of the
    history is compared with the game j on its own, and log-sum-exp pooling joins the comparisons:

        score(h, j) = <pooled(h), emb(j)> + log(exp(floor) + sum_i exp(<gain * emb(i), emb(j)>) / n^power)

    One pooled vector has the rank of its width; this has not, and close relatives (sequels, bundles) find each other.
    Costs distinct history games x games scored.

    Args:
        match_dim: components compared game by game; the rest of the embedding's width is pooled.
        power, dropout: as for `PoolMatch`.

    Raises:
        ConfigError: `match_dim` is below 1 or, when called, above the embedding's width.
    """

    def __init__(self, *, match_dim: int, power: float = 0.5, dropout: float = 0.1) -> None:
        super().__init__()
        if match_dim < 1:
            raise _wrong_width(match_dim, "at least 1")
        self.match_dim, self.power = match_dim, power
        self.pool = PoolMatch(power=power, dropout=dropout)
        self.gain = nn.Parameter(torch.ones(match_dim))
        self.floor = nn.Parameter(torch.zeros(()))

    def forward(self, embedding: CompressedEmbedding, history_BL: Tensor, score: Callable[[Query], Tensor]) -> Tensor:
        """See the base."""
        parts = torch.split(history_BL, self._users_at_once(embedding, history_BL))
        scores = [super(LogSumExpMatch, self).forward(embedding, part_bL, score) for part_bL in parts]
        return scores[0] if len(scores) == 1 else torch.cat(scores)

    def encode(self, embedding: CompressedEmbedding, history_BL: Tensor) -> Encoded:
        """See the base."""
        pooled_dim = embedding.dim - self.match_dim
        if pooled_dim < 0:
            raise _wrong_width(self.match_dim, f"at most the embedding's dim, {embedding.dim}")
        pooled_BP = self.pool.query(embedding, history_BL)[:, :pooled_dim]
        ids_U, place_BL = distinct(history_BL)  # each game of the batch compared once
        single_UM = embedding(ids_U)[:, -self.match_dim :] * self.gain
        real_BL = (history_BL != PADDING_ID).float()
        weights_BL = real_BL / real_BL.sum(1, keepdim=True).clamp(min=1) ** self.power
        return Encoded((Query(pooled_BP), Query(single_UM, pooled_dim)), (place_BL, weights_BL))

    def compare(self, scores: Sequence[Tensor], context: Sequence[Tensor]) -> Tensor:
        """See the base."""
        scores_BC, likeness_UC = scores
        place_BL, weights_BL = context
        with torch.autocast(scores_BC.device.type, enabled=False):  # a sum of exponentials is no place for bf16
            near_UC = likeness_UC.float().clamp(max=_MAX_EXPONENT).exp()
            near_BC = weighted_bag(near_UC, place_BL, weights_BL)
            return scores_BC.float() + (near_BC + self.floor.exp()).log()

    def games_at_once(self, encoded: Encoded) -> int:
        """See the base."""
        return min(_at_once(_MAX_SCORES, encoded.queries[0].values), _at_once(_MAX_LIKENESS, encoded.queries[1].values))

    @staticmethod
    def _users_at_once(embedding: CompressedEmbedding, history_BL: Tensor) -> int:
        """Return how many histories to compare at once; with gradients, which keep every part anyway, all."""
        num_users, longest = history_BL.shape
        most = _MAX_LIKENESS // embedding.num_ids  # distinct history games
        if torch.is_grad_enabled() or most >= min(num_users * longest, embedding.num_ids):
            return max(num_users, 1)
        return max(most // longest, 1)


class MixtureMatch(Matcher):
    """Each component of the embedding is a taste: a history says which tastes its user has, and they say which games.

        w(h) = softmax(sharpness * sum_i emb(i))        score(h, j) = log(D sum_d w_d(h) softmax(emb(j))_d)

    With tastes alike in number, softmax(emb(j)) is how the users of game j divide among them, w is Bayes' posterior of
    tastes given the history, and the score says how much more likely the history makes the game: the latent classes of
    Hofmann 2004 ("Latent Semantic Models for Collaborative Filtering"), a user's inferred from its history and trained
    on hidden games. For users who are of a kind; that two games belong together beyond their tastes (sequels,
    bundles) it cannot say. An empty history has all tastes alike and scores 0. As cheap as `PoolMatch`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.ones(()))

    def encode(self, embedding: CompressedEmbedding, history_BL: Tensor) -> Encoded:
        """See the base."""
        evidence_BD = embedding.pool(history_BL, (history_BL != PADDING_ID).float())
        with torch.autocast(history_BL.device.type, enabled=False):
            tastes_BD = torch.softmax(evidence_BD.float() * self.sharpness, 1)
        return Encoded(
            (Query(torch.eye(tastes_BD.shape[1], device=tastes_BD.device)),), (tastes_BD,)
        )  # a taste is a query

    def compare(self, scores: Sequence[Tensor], context: Sequence[Tensor]) -> Tensor:
        """See the base."""
        (likings_DC,), (tastes_BD,) = scores, context
        with torch.autocast(tastes_BD.device.type, enabled=False):  # a sum of exponentials is no place for bf16
            shares_DC = torch.softmax(likings_DC.float(), 0) * len(likings_DC)
            return (tastes_BD @ shares_DC).clamp(min=_LEAST_SHARE).log()

    def games_at_once(self, encoded: Encoded) -> int:
        """See the base."""
        return _at_once(_MAX_SCORES, encoded.context[0])


def _at_once(most: int, rows_QD: Tensor) -> int:
    return max(most // max(len(rows_QD), 1), 1)


def _wrong_width(match_dim: int, wanted: str) -> ConfigError:
    return ConfigError(f"match_dim is {match_dim}", wanted=wanted, fix="try half of the model's dim")
