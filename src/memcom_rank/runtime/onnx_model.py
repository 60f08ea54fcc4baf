"""Runtime (apart): the model in onnxruntime. Histories -> ids and scores of the best games, checked.

`history_BL` int64: 0 padding, 1 an unknown game, games from 2. `ids_BK` int64 and `scores_BK` float32: the best games
that are not of the history, best first; places beyond the games that are left hold id 0 and score -inf.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from .errors import BundleError, damaged
from .games import FIRST_ID

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_INPUTS = [("history", "tensor(int64)", 2)]
_OUTPUTS = [("ids", "tensor(int64)", 2), ("scores", "tensor(float)", 2)]
_SETTINGS = {
    "session.load_model_format": "ONNX",  # a file of another format would not have been walked by check_onnx
    "session.intra_op.allow_spinning": "0",
}
_FATAL = 4  # log level: errors are raised, and need not be printed too


class OnnxModel:
    """A model that ranks the catalogue in one call, on one thread.

    Args:
        path: a file that `check_onnx` has passed.
        num_games: of the catalogue.
        k: width of the outputs.

    Raises:
        BundleError: onnxruntime refuses the model, or its inputs and outputs are others.
    """

    def __init__(self, path: Path, num_games: int, k: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # it keeps what it ever took
        options.log_severity_level = _FATAL
        for key, value in _SETTINGS.items():
            options.add_session_config_entry(key, value)
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, ["CPUExecutionProvider"], enable_fallback=0, read_config_from_model=0
            )
            inputs, outputs = (
                [(one.name, one.type, len(one.shape)) for one in ends]
                for ends in (self._session.get_inputs(), self._session.get_outputs())
            )
        except Exception as error:  # onnxruntime's own have no common base, and names of a stranger may be no UTF-8
            raise _refused(error) from error
        if inputs != _INPUTS or outputs != _OUTPUTS:
            raise damaged(f"the model is from {inputs!a} to {outputs!a}"[:300], f"from {_INPUTS} to {_OUTPUTS}")
        self._num_games, self._k = num_games, k

    def __call__(self, history_BL: Ints) -> tuple[Ints, Floats]:
        """Return ids and scores [B, K] of the best games for each history.

        Raises:
            BundleError: the model fails, or what it returns is no ranking of these games.
        """
        try:
            ids_BK, scores_BK = self._session.run(["ids", "scores"], {"history": history_BL})
        except Exception as error:
            users, length = history_BL.shape
            raise BundleError(
                f"onnxruntime cannot run the model: {ascii(str(error))[:200]}",
                wanted=f"memory for {users} histories of length {length}, and a model that the exporter made",
                fix="rank fewer or shorter histories at once; if one fails too, copy the whole bundle again",
            ) from error
        if not _is_ranking(history_BL, ids_BK, scores_BK, self._num_games, self._k):
            raise damaged("the model returns no ranking of the games that are left", "distinct games, best first")
        return ids_BK, scores_BK


def _is_ranking(history_BL: Ints, ids_BK: Ints, scores_BK: Floats, num_games: int, k: int) -> bool:
    """Whether each row has all games that are left and fit: distinct, none of the history, in order of their scores."""
    shape = (len(history_BL), k)
    if ids_BK.shape != shape or scores_BK.shape != shape:
        return False
    first_of_row = np.arange(len(history_BL))[:, None] * (num_games + FIRST_ID)  # numbers that tell users apart
    known_BL = history_BL >= FIRST_ID
    seen = np.unique((history_BL + first_of_row)[known_BL])
    left = num_games - np.bincount(seen // (num_games + FIRST_ID), minlength=len(history_BL))
    real_BK = np.arange(k) < left[:, None]
    ids, scores = ids_BK[real_BK], scores_BK[real_BK]
    if ((ids < FIRST_ID) | (ids >= num_games + FIRST_ID)).any() or ids_BK[~real_BK].any():
        return False
    ranked = (ids_BK + first_of_row)[real_BK]
    return bool(
        np.isfinite(scores).all()
        and np.isneginf(scores_BK[~real_BK]).all()
        and (scores_BK[:, 1:] <= scores_BK[:, :-1]).all()
        and len(np.unique(np.concatenate([ranked, seen]))) == len(ranked) + len(seen)
    )


def _refused(error: Exception) -> BundleError:
    return damaged(f"onnxruntime refuses the model: {ascii(str(error))[:200]}", "a model that the exporter made")
