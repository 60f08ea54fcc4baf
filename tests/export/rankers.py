"""Small trained-looking rankers, and an onnxruntime session as the runtime makes it."""

import numpy as np
import onnxruntime
import torch

from memcom_rank.models import LogSumExpMatch, Ranker

NUM_IDS, DIM = 41, 8


def ranker(embedding, match=None):
    """A ranker with random numbers everywhere; different games, different scores."""
    torch.manual_seed(3)
    made = Ranker(embedding, LogSumExpMatch(match_dim=3) if match is None else match, game_bias=True).eval()
    with torch.no_grad():
        made.game_bias.copy_(torch.linspace(1, -1, embedding.num_ids) + 0.3 * torch.randn(embedding.num_ids))
        for name, values in made.named_parameters():
            if values.ndim == 1 and "game_bias" not in name:
                values.add_(0.2 * torch.randn(len(values)))
    return made


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def histories():
    """Of every kind: padded, empty, of length 0, unknown and impossible ids, all games but a few, all games."""
    several = torch.randint(2, NUM_IDS, (3, 6))
    several[0, 4:] = 0
    several[1] = 0
    return [
        several,
        torch.zeros(2, 0, dtype=torch.int64),
        torch.tensor([[1, 2, 1, NUM_IDS, -4, 2**40]]),
        torch.arange(5, NUM_IDS)[None],
        torch.arange(2, NUM_IDS)[None],
    ]


def check_equal(run, wanted, tolerance=1e-5):
    """Compare two rankings: scores up to rounding, and ids where no other game has the same score."""
    (ids, scores), (wanted_ids, wanted_scores) = run, wanted
    np.testing.assert_allclose(scores, wanted_scores, rtol=tolerance, atol=tolerance)
    with np.errstate(invalid="ignore"):  # places without a game: NaN, never alone
        gaps = np.abs(np.diff(wanted_scores, prepend=np.inf, append=-np.inf))
    alone = (gaps[:, :-1] > 10 * tolerance) & (gaps[:, 1:] > 10 * tolerance) & np.isfinite(wanted_scores)
    alone[:, -1] = False  # the next one is not known
    np.testing.assert_array_equal(ids[alone], wanted_ids[alone])
    assert not ids[np.isneginf(scores)].any()
