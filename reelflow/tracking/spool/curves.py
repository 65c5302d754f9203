"""Curves of trainings, sent to MLflow while they run.

A point is what a training first told of an epoch. An epoch that is trained again after a kill gives the same
figures, except the seconds it took: it is not sent again. Times of points are relative to the start of their
run, so that a point that is sent twice is one: it is the primary key of MLflow's table of metrics
(`SqlMetric` in mlflow.store.tracking.dbmodels.models).

What a training takes of the machine is told under MLflow's own names (mlflow.system_metrics). Its page shows
`system/...` by time (`xAxisKey` in its JavaScript, 3.17.2), so that these points have the time of their
sample, and the seconds since the start of their run as step: both are the same however often a point is sent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

from reelflow.settings import Settings
from reelflow.tracking.facts.spans import MS
from reelflow.tracking.tracker import Tracker
from reelflow.workers.usage.sampling import KIND as USAGE

KINDS = ("started", "epoch", USAGE)  # of events
TASK = "training "
WHOLE = "holdout"  # the fold whose curve is that of the training
FIGURES = (
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "learning_rate",
    "seconds",
)
SYSTEM = "system/"  # before MLflow's names (mlflow.system_metrics.system_metrics_monitor)


class Point(NamedTuple):
    """Of a curve; without a time where it follows from the step."""

    metric: str
    step: int
    value: float
    time_ms: int | None = None

    def since(self, start_ms: int) -> "Point":
        """With the seconds since then as step, if it has a time."""
        return self if self.time_ms is None else self._replace(step=(self.time_ms - start_ms) // MS)


class Curves:
    """The curves of a run's trainings.

    Args:
        settings: with the name of the run.
        task: of the events before the first start; events that name no task are of the last that started.
    """

    def __init__(self, settings: Settings, task: str = "") -> None:
        self._settings, self._task = settings, task
        self._told: set[tuple[object, ...]] = set()
        self._due: dict[str, list[Point]] = {}
        self._runs: dict[str, tuple[str, int]] = {}
        self._started: dict[str, float] = {}
        self._starts: dict[str, int] = {}
        self._sent: dict[tuple[str, str], set[int]] = {}
        self._lock = Lock()

    @property
    def are_due(self) -> bool:
        """Whether points wait."""
        return bool(self._due)

    def add(self, event: Mapping[str, Any]) -> None:
        """Take note of an event of a step."""
        task = event.get("task", self._task)
        if event["kind"] == "started":
            self._task, self._started[task] = task, event["time"]
        points = list(_points(event))
        if not points or not task.startswith(TASK):
            return
        place = (task, points[0].metric, points[0].step, points[0].time_ms)
        if place in self._told:
            return
        self._told.add(place)
        classifier = task.removeprefix(TASK)
        if task in self._started:  # the run begins with the work, not with its first curve
            self._starts.setdefault(classifier, int(self._started[task] * MS))
        with self._lock:
            self._due.setdefault(classifier, []).extend(points)

    def add_all(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take note of the events of an earlier process, or of a whole run."""
        for event in events:
            self.add(event)

    def send(self) -> None:
        """Send the points that wait; they go on waiting if that fails.

        Raises:
            TrackingError: MLflow refuses, or is not reachable.
        """
        with self._lock:
            due = {classifier: list(points) for classifier, points in self._due.items()}
        for classifier, points in due.items():
            self._send_of(classifier, points)
            with self._lock:
                del self._due[classifier][: len(points)]
                if not self._due[classifier]:
                    del self._due[classifier]

    def _send_of(self, classifier: str, points: Sequence[Point]) -> None:
        """Send points of which MLflow has none for their step: an earlier process may have sent them."""
        tracker = Tracker(self._settings)
        if classifier not in self._runs:
            parent, started_ms = tracker.parent(self._settings.run_name), self._starts.get(classifier)
            child = tracker.child(parent, classifier, started_ms=started_ms)
            self._runs[classifier] = child, tracker.started_ms(child)
        run_id, start_ms = self._runs[classifier]
        points = [point.since(start_ms) for point in points]
        for metric in {point.metric for point in points}:
            if (run_id, metric) not in self._sent:
                self._sent[run_id, metric] = tracker.steps(run_id, metric)
        fresh = [point for point in points if point.step not in self._sent[run_id, point.metric]]
        tracker.log_points(run_id, fresh)
        for point in points:
            self._sent[run_id, point.metric].add(point.step)


def _points(event: Mapping[str, Any]) -> Iterator[Point]:
    """Of an epoch, or of a sample."""
    if event["kind"] == "epoch":
        for name in FIGURES:
            if name in event:
                yield Point(metric_name(event["fold"], name), event["epoch"], event[name])
    if event["kind"] == USAGE:
        for name, value in event["figures"].items():
            yield Point(SYSTEM + name, 0, value, int(event["time"] * MS))


def metric_name(fold: str, figure: str) -> str:
    """Of a curve in MLflow: that of the training, or of one of its folds."""
    if fold == WHOLE:
        return f"training.curve.{figure}"
    return f"training.{re.sub(r'[^a-zA-Z0-9_. -]', '_', fold)}.{figure}"
