"""What each task of a named run has moved through the object store, as tags of the run in MLflow."""

from collections.abc import Mapping
from contextlib import suppress

from pydantic import Field, ValidationError

from reelflow.documents import Document
from reelflow.errors import ReelflowError
from reelflow.settings import Settings
from reelflow.tracking.tracker import RUN_TAG, Tracker

TRANSFER_TAG = "reelflow.transfer."


class Transfer(Document):
    """Bytes that a task has read from the store and written to it, by kind: `frames`, `features`."""

    read_bytes: dict[str, int] = Field(default_factory=dict)
    written_bytes: dict[str, int] = Field(default_factory=dict)


def record_transfer(settings: Settings, task: str, transfer: Transfer) -> None:
    """Tag a named run that exists with what a task has moved; errors of MLflow are ignored."""
    if not settings.run_name:
        return
    with suppress(ReelflowError):
        tracker = Tracker(settings)
        if run_id := tracker.find({RUN_TAG: settings.run_name}):
            tracker.log(run_id, tags={TRANSFER_TAG + task: transfer.model_dump_json()})


def transfers_of(tags: Mapping[str, str]) -> dict[str, Transfer]:
    """What tasks have moved, by the task's name, from the tags of their run."""
    found: dict[str, Transfer] = {}
    for name, value in tags.items():
        if name.startswith(TRANSFER_TAG):
            with suppress(ValidationError):
                found[name.removeprefix(TRANSFER_TAG)] = Transfer.model_validate_json(value)
    return found
