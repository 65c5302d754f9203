"""Sends what is owed of a run to MLflow, in order."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reelflow.errors import BundleError
from reelflow.files import write_text
from reelflow.progress import emit, events_in
from reelflow.settings import Settings
from reelflow.tracking.records import finish_run, forget_failure, record_folder, tag_failure
from reelflow.tracking.spool.curves import KINDS, Curves
from reelflow.tracking.spool.owed import Owed, TrackingSpool


def send(owed: Owed, settings: Settings, spool: TrackingSpool) -> Owed:
    """Send what is owed of a run; a bundle is not registered, and the end of its run waits for that.

    A search is left, too.

    Args:
        owed: of the run.
        settings: with MLflow's address.
        spool: is told after each part.

    Returns:
        What is left.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
    """
    own = owed.settings(settings)
    while owed.folders:
        folder, *rest = owed.folders
        try:
            record_folder(own, folder, owed.spans.get(str(folder)))
        except BundleError as error:
            emit("notice", message=f"{folder} is not recorded in MLflow: {error}")
        spans = {name: span for name, span in owed.spans.items() if name != str(folder)}
        owed = spool.keep(owed.but(folders=tuple(rest), spans=spans))
    if owed.curves:
        curves = Curves(own)
        curves.add_all(read_events(spool.curves_of(owed.run)))
        curves.send()
        owed = spool.keep(owed.but(curves=False))
    if owed.release is None and owed.status:
        _end(owed, own)
        owed = spool.keep(owed.but(failure=None, status="", ended_ms=None))
    return owed


def _end(owed: Owed, settings: Settings) -> None:
    if owed.failure:
        tag_failure(settings, *owed.failure)
    else:
        forget_failure(settings)
    finish_run(settings, owed.status, owed.ended_ms)


def copy_curves(events: Path, target: Path) -> None:
    """Keep the events that curves are made of.

    Raises:
        StorageError: the disk is full or read-only.
    """
    lines = [json.dumps(event) for event in read_events(events) if event.get("kind") in KINDS]
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, "\n".join(lines) + "\n")


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file of events; none if it is gone."""
    if path.is_file():
        yield from events_in(path.read_bytes())
