"""What a run leaves in its folder, taken from the folders of its steps."""

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from reelflow.contracts import Summary
from reelflow.documents import Document
from reelflow.durable.replace import replace_folder
from reelflow.errors import ReelflowError, disk_errors
from reelflow.files import write_text
from reelflow.progress import Event, events_in

STATE = "run.json"
EVALUATION = "evaluation "


class RunState(Document):
    """`run.json`: the run of a folder, and whether it has succeeded."""

    name: str
    fingerprint: str
    finished: bool = False

    @classmethod
    def of(cls, folder: Path, fingerprint: str, kind: str) -> Self:
        """That of the run in a folder if its fingerprint is the same, else a new one.

        A name has the time and a random part: runs that start in the same second are two.
        """
        with contextlib.suppress(ReelflowError):
            found = cls.read(folder / STATE)
            if found.fingerprint == fingerprint:
                return found
        name = f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        return cls(name=name, fingerprint=fingerprint)

    def is_in(self, folder: Path) -> bool:
        """Whether it is written there."""
        with contextlib.suppress(ReelflowError):
            return type(self).read(folder / STATE) == self
        return False

    def save(self, folder: Path) -> None:
        """Write it to the folder of the run."""
        write_text(folder / STATE, self.to_json())


def events_after(path: Path | None, position: int = 0) -> tuple[list[Event], int]:
    """The complete lines after `position`, and the position after them."""
    if path is None or not path.exists():
        return [], position
    with path.open("rb") as file:
        file.seek(position)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    return list(events_in(whole)), position + len(whole)


def finished_folders(events: Iterable[Event]) -> dict[str, Path]:
    """The folder of each task that is finished, or whole beside a problem of MLflow."""
    return {
        event["task"]: Path(event["folder"])
        for event in events
        if event["kind"] in ("finished", "failed") and "folder" in event
    }


def evaluations_in(done: Mapping[str, Path]) -> list[Path]:
    """The folders of the evaluations among those of all tasks."""
    return [folder for task, folder in done.items() if task.startswith(EVALUATION)]


def deliver(out: Path, events: Path | None, started: float) -> Summary:
    """Copy the results from the folders of the steps.

    Args:
        out: folder of the run.
        events: what its steps have told.
        started: the process's performance counter at the start.
    """
    told, _ = events_after(events)
    done, seconds = finished_folders(told), _seconds(told)
    with disk_errors(out):
        partial = out / ".bundle.partial"
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(done["conversion"], partial)
        replace_folder(partial, out / "bundle")
    times = {"seconds": seconds, "wall_seconds": round(time.perf_counter() - started, 2)}
    return show_release(out, done["release"], times)


def show_release(out: Path, release: Path, times: Mapping[str, object]) -> Summary:
    """Copy what the release step wrote; `times` are the run's, as its summary names them."""
    with disk_errors(out):
        write_text(out / "report.html", (release / "report.html").read_text(encoding="utf-8"))
    summary = Summary.read(release / "summary.json").model_copy(update=dict(times))
    write_text(out / "summary.json", summary.to_json())
    return summary


def _seconds(events: Iterable[Event]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for event in events:
        if event["kind"] == "finished" and (not event["reused"] or event["task"] not in seconds):
            seconds[event["task"]] = round(event["seconds"], 2)
    return seconds
