"""Sends what is owed of a run to MLflow, in order."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from reelflow.errors import BundleError
from reelflow.progress import emit
from reelflow.settings import Settings
from reelflow.tracking.records import finish_run, forget_failure, record_folder, tag_failure
from reelflow.tracking.spool.curves import Curves
from reelflow.tracking.spool.owed import Owed


def send(owed: Owed, settings: Settings, keep: Callable[[Owed], None]) -> Owed:
    """Send all but the release; returns what is left, which `keep` gets after each part too.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
    """
    own = owed.settings(settings)
    while owed.folders:
        folder, *rest = owed.folders
        try:
            record_folder(own, folder)
        except BundleError as error:
            emit("notice", message=f"{folder} is not recorded in MLflow: {error}")
        owed = owed.but(folders=tuple(rest))
        keep(owed)
    if owed.curves:
        curves = Curves(own)
        for event in read_events(owed.curves):
            curves.add(event)
        curves.send()
        owed = owed.but(curves=None)
        keep(owed)
    if owed.release is None and owed.status:
        _end(owed, own)
        owed = owed.but(failure=None, status="")
        keep(owed)
    return owed


def _end(owed: Owed, settings: Settings) -> None:
    if owed.failure:
        tag_failure(settings, *owed.failure)
    else:
        forget_failure(settings)
    finish_run(settings, owed.status)


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file of events; none if it is gone."""
    if path.is_file():
        for line in path.read_bytes().splitlines():
            with suppress(ValueError):  # lines are truncated when the disk is full
                yield json.loads(line)
