"""Tasks room (floor 3): whether a checkpoint is one of this model.

Takes the settings and the state of a trained model and of one that is to hold its weights -> refuses another form.
Tables of other hashes, other bits or another match have the same shapes: without a word others would be ranked first.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from memcom_rank.contract.errors import CheckpointError

_PARTS = ("embedding", "match")  # settings that say what weights mean
_TRAINING_ALONE = {"dropout", "merge_at", "num_factors"}  # and these do not


def check_form(
    trained: Mapping[str, Any],
    here: Mapping[str, Any],
    trained_state: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
) -> None:
    """Refuse weights of a model of another form.

    Args:
        trained, here: hyperparameters by name; parts made in Python, of which one has no settings, are not compared.
        trained_state, state: tensors by name.

    Raises:
        CheckpointError: a setting of the embedding or the match differs, or a tensor's name or shape.
    """
    for part in _PARTS:
        settings, own = dict(_flat(trained.get(part), part)), dict(_flat(here.get(part), part))
        for name in settings:
            if settings[name] != own.get(name, settings[name]) and name.split(".")[-1] not in _TRAINING_ALONE:
                raise _other_form(f"with model.{name}: {settings[name]}, and this one has {own[name]}")
    shapes, wanted = ({name: tuple(t.shape) for name, t in tensors.items()} for tensors in (trained_state, state))
    for name in sorted(shapes.keys() | wanted.keys()):
        if shapes.get(name) != wanted.get(name):
            raise _other_form(f"with {name} of {_words(shapes.get(name))}, and this one has {_words(wanted.get(name))}")


def _flat(settings: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield settings by dotted name; of what is no setting, an object, nothing."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from _flat(value, f"{name}.{key}")
    elif isinstance(settings, (str, int, float, list, tuple)) or settings is None:
        yield name, settings


def _words(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else f"shape {list(shape)}"


def _other_form(difference: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint was trained {difference}",
        wanted="the model that was trained: its weights mean nothing in another one",
        fix="leave out flags and overlays that set it, a checkpoint brings its settings; if another version wrote it, "
        "train again",
    )
