# ruff: noqa: N815 (fields carry shape suffixes)
"""Metrics room (floor 1): where the held-out games stand in the full ranking.

Takes scores of all ids, held-out games and seen games -> gives the rank of each held-out game (`TargetRanks`), which
every ranking metric is computed from, and the k best games. Ranks are counted, not sorted: O(T V) comparisons.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from memcom_rank.contract.errors import DatasetError, diverged
from memcom_rank.contract.schemas import FIRST_GAME_ID, PADDING_ID


class TargetRanks(NamedTuple):
    """Ranks of the held-out games among the candidates: real games (id >= 2) that the user has not seen.

    Attributes:
        above_BT: int64, candidates scored strictly higher than the target; 0 where not found.
        tied_BT: int64, candidates with the target's own score, the target included; 0 where not found.
        found_BT: bool, the target is a candidate. False for padding (id 0) and the unknown game (id 1).
        present_BT: bool, the target is a held-out game (id != 0). An unknown game is present and never found: a miss
            that counts in the ideal.
        gains_BT: float64, grade of the target; 0 where not present.
    """

    above_BT: Tensor
    tied_BT: Tensor
    found_BT: Tensor
    present_BT: Tensor
    gains_BT: Tensor


def rank_targets(scores_BV: Tensor, targets_BT: Tensor, grades_BT: Tensor, seen_BL: Tensor) -> TargetRanks:
    """Rank each held-out game among the user's candidates.

    Args:
        scores_BV: float scores of all ids, higher is better; left unchanged. Half precision is compared as fp32.
        targets_BT: int64 held-out ids, padded with 0.
        grades_BT: grades of the targets, any number type.
        seen_BL: int64 ids of the user's history, padded with 0. They are no candidates.

    Raises:
        ConfigError: a score is NaN: the model has diverged.
        DatasetError: a held-out game is also among the user's seen games, so that it could never be found.
    """
    candidates_BV = _candidates(scores_BV, seen_BL, fill=torch.nan)  # NaN is neither above nor tied with anything
    present_BT = targets_BT != PADDING_ID
    own_BT = candidates_BV.gather(1, targets_BT)
    found_BT = targets_BT >= FIRST_GAME_ID
    seen_BT = found_BT & own_BT.isnan()
    if bool(seen_BT.any()):
        row, column = seen_BT.nonzero()[0].tolist()
        raise DatasetError(
            f"held-out game id {int(targets_BT[row, column])} is also in the history of user {row} of the batch",
            wanted="held-out games that the user's history does not hold",
            fix="rebuild the dataset with: python -m data_prep build --overwrite",
        )
    above_BT, tied_BT = torch.zeros_like(targets_BT), torch.zeros_like(targets_BT)
    for t in range(targets_BT.shape[1]):  # T is small; one pass over V a column needs no B x T x V tensor
        own_B1 = own_BT[:, t : t + 1]
        # counted in 32 bits: on a CPU twice as fast as in 64, and these passes are most of an evaluation
        above_BT[:, t] = (candidates_BV > own_B1).sum(1, dtype=torch.int32)
        tied_BT[:, t] = (candidates_BV == own_B1).sum(1, dtype=torch.int32)
    return TargetRanks(above_BT, tied_BT, found_BT, present_BT, grades_BT.double() * present_BT)


def top_games(scores_BV: Tensor, seen_BL: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k best candidates of each user.

    Args:
        scores_BV: float scores of all ids; left unchanged. A game scored -inf is never returned.
        seen_BL: int64 ids of the user's history, padded with 0.
        k: games wanted per user, at least 1; may exceed the catalogue.

    Returns:
        ids_Bk (int64) and scores_Bk (float32 or wider), best first, equal scores in any order. Where fewer than k
        candidates exist, the id is 0 (padding) and the score -inf.

    Raises:
        ConfigError: a score is NaN: the model has diverged.
    """
    candidates_BV = _candidates(scores_BV, seen_BL, fill=-torch.inf)
    best_Bk, ids_Bk = candidates_BV.topk(min(k, candidates_BV.shape[1]), dim=1)
    ids_Bk = ids_Bk.masked_fill(best_Bk == -torch.inf, PADDING_ID)
    missing = k - ids_Bk.shape[1]
    return functional.pad(ids_Bk, (0, missing), value=PADDING_ID), functional.pad(
        best_Bk, (0, missing), value=-torch.inf
    )


def expected_weights(ranks: TargetRanks, weight: Callable[[Tensor], Tensor], k: int | None) -> Tensor:
    """Return each target's expected weight when games of equal score are put in random order, float64 [B, T].

    A target with a games above and n tied stands at each of the positions a + 1 .. a + n with the same probability.

    Args:
        ranks: from `rank_targets`.
        weight: float64 positions (1, 2, ...) -> weight of each position.
        k: positions beyond k weigh nothing; None for no limit.
    """
    if not bool((ranks.tied_BT > 1).any()):  # the usual case, and no table of all positions
        first_BT = ranks.above_BT + 1
        inside_BT = ranks.found_BT if k is None else ranks.found_BT & (first_BT <= k)
        return weight(first_BT.double()) * inside_BT
    ends_BT = ranks.above_BT + ranks.tied_BT
    last = k if k is not None else (int(ends_BT.max()) if ends_BT.numel() else 0)
    # on the CPU: CUDA has no deterministic cumsum of floats, and Trainer(deterministic=True) would refuse it
    weights = weight(torch.arange(1, last + 1, dtype=torch.float64))
    cumulative = functional.pad(weights.cumsum(0), (1, 0)).to(ends_BT.device)
    total_BT = cumulative[ends_BT.clamp(max=last)] - cumulative[ranks.above_BT.clamp(max=last)]
    return total_BT / ranks.tied_BT.clamp(min=1) * ranks.found_BT


def _candidates(scores_BV: Tensor, seen_BL: Tensor, *, fill: float) -> Tensor:
    """Copy the scores, fp32 or wider, with `fill` at padding, unknown and seen ids."""
    if bool(scores_BV[:, FIRST_GAME_ID:].isnan().any()):
        raise diverged()
    dtype = torch.promote_types(scores_BV.dtype, torch.float32)
    candidates_BV = scores_BV.detach().to(dtype, copy=True)
    candidates_BV.scatter_(1, seen_BL, fill)
    candidates_BV[:, :FIRST_GAME_ID] = fill
    return candidates_BV
