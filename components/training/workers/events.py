"""What workers tell, one JSON line an event, in a file each."""

import json
from pathlib import Path
from typing import Any

from reelflow import errors
from reelflow.errors import ReelflowError, StepError
from reelflow.progress import emit


class EventReader:
    """Reads what has been appended to a worker's file.

    Attributes:
        path: of the file.
        error: what the worker ended with, if it told.
    """

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)  # of an earlier attempt
        self.path, self._read = path, 0
        self.error: ReelflowError | None = None

    def read(self, *, passes_on: bool) -> None:
        """Take note of new lines; those of the chief are passed on as events of this process."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self._take(json.loads(line), passes_on=passes_on)

    def _take(self, event: dict[str, Any], *, passes_on: bool) -> None:
        if event["kind"] == "ended":
            self.error = error_of(event["error"], event["message"])
        elif passes_on:
            emit(event.pop("kind"), **event)


def error_of(name: str, message: str) -> ReelflowError:
    """An error of `reelflow.errors` by the name of its class."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, ReelflowError):
        return kind(message)
    return StepError(message)
