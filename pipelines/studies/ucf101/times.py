"""How long trainings took, from the events of a run: reports hold no times, so that they can be compared."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from pipelines.studies.ucf101.results import ClassifierResult
from reelflow.contracts import Sha256
from reelflow.documents import Document
from reelflow.errors import BundleError
from reelflow.files import write_text
from reelflow.progress import Event


class TrainingTime(Document):
    """Seconds of one training task, with its reading, validation and scoring.

    Attributes:
        total_s: of all attempts; None if an earlier run had finished it.
        epoch_s: the median from the end of one epoch to that of the next, with its validation; None if no two
            follow each other in one attempt.
    """

    total_s: float | None = None
    epoch_s: float | None = None


NO_TIME = TrainingTime()


class KeptTime(Document):
    """The time of the training of a model: events go when a run starts anew, and then reuses the training."""

    model_sha256: Sha256
    time: TrainingTime


@dataclass
class TaskSpan:
    """A task from its start to its end, or to its last sign of life."""

    started: float
    last: float
    epochs: list[float] = field(default_factory=list)
    reused: bool = False


def training_times(events: Path) -> dict[str, TrainingTime]:
    """The time of each training, by the name of its task."""
    attempts: dict[str, list[TaskSpan]] = {}
    current: list[TaskSpan] = []
    for event in _read(events):
        if event["kind"] == "started":
            current = attempts.setdefault(event["task"], [])
            current.append(TaskSpan(event["time"], event["time"]))
        elif current:
            _note(current[-1], event)
    return {task: _time(found) for task, found in attempts.items() if task.startswith("training ")}


def kept_time(found: TrainingTime, result: ClassifierResult, path: Path) -> TrainingTime:
    """The time that the events tell, which is kept in a file; else the one kept there for the same model.

    Raises:
        StorageError: the disk is full or read-only.
    """
    model = result.report.model_sha256
    if found.total_s is not None:
        write_text(path, KeptTime(model_sha256=model, time=found).to_json())
        return found
    with contextlib.suppress(BundleError):
        if (kept := KeptTime.read(path)).model_sha256 == model:
            return kept.time
    return found


def _note(attempt: TaskSpan, event: Event) -> None:
    """Tasks of a local run follow one another, so that an event belongs to the task that has started last."""
    attempt.last = event["time"]
    if event["kind"] == "epoch":
        attempt.epochs.append(event["time"])
    attempt.reused = attempt.reused or (event["kind"] == "finished" and event["reused"])


def _time(attempts: Sequence[TaskSpan]) -> TrainingTime:
    """All attempts together; one that found a finished output says nothing about its cost."""
    worked = [attempt for attempt in attempts if not attempt.reused]
    if not worked:
        return TrainingTime()
    gaps = [
        later - earlier
        for attempt in worked
        for earlier, later in zip(attempt.epochs, attempt.epochs[1:], strict=False)
    ]
    total_s = sum(attempt.last - attempt.started for attempt in worked)
    return TrainingTime(total_s=total_s, epoch_s=median(gaps) if gaps else None)


def _read(path: Path) -> Iterator[Event]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    for line in lines:
        with contextlib.suppress(ValueError):  # a full disk cuts lines short
            event = json.loads(line)
            if isinstance(event, dict) and {"kind", "time"} <= event.keys():
                yield event
