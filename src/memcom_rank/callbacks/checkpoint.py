"""Callbacks room (floor 4): checkpoints of a run, remembered when another run goes on from them."""

from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which knows its best epoch again after a resume.

    A resumed run writes into a folder of its own; Lightning would then forget the best score so far and call the
    first epoch after the resume the best. Files of the earlier run are never deleted.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state, whatever folder it was written in."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})
