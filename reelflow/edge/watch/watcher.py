"""Watches a source: pictures in, messages out, until the source or the service ends."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event as Flag

from reelflow.edge.camera.address import CameraSource
from reelflow.edge.camera.camera import Camera
from reelflow.edge.camera.wire import Told
from reelflow.edge.classifier import Classifier
from reelflow.edge.events.model import Event, Message, SourceState, StateName, WindowAnswer
from reelflow.edge.events.tracker import EndReason, EventRules, EventTracker
from reelflow.edge.recording.keeper import ClipKeeper, RecordOptions, WatchedWith
from reelflow.edge.sinks.interface import Sink
from reelflow.edge.timeline import window_of
from reelflow.edge.watch.fresh_bundle import FreshBundle
from reelflow.edge.watch.stages import StageClock
from reelflow.edge.watch.systemd import ServiceManager
from reelflow.edge.watch.windows import Windows, WindowScores
from reelflow.errors import BundleError, ClipError

TICK_S = 0.25
CLOSE_S = 5.0


@dataclass(frozen=True)
class WatchOptions:
    """How a source is watched.

    Attributes:
        hop_s: between two answers.
        timeout_s: silence after which a source is opened anew.
        window_s: duration of the training clips; None for that in the bundle.
        on: score that starts an event; None for the bundle's own threshold.
        off: score that ends it; None for a little less than `on`.
        least_s: how long a state must hold.
        update_s: between two messages of an event.
        recording: which clips are kept.
    """

    hop_s: float = 1.0
    timeout_s: float = 10.0
    window_s: float | None = None
    on: float | None = None
    off: float | None = None
    least_s: float = 1.0
    update_s: float = 10.0
    recording: RecordOptions = field(default_factory=RecordOptions)


class Watcher:
    """One source, one bundle, some sinks.

    Attributes:
        stages: where the time goes.
    """

    def __init__(
        self,
        bundle: FreshBundle,
        source: CameraSource,
        sinks: Sequence[Sink],
        options: WatchOptions,
        say: Callable[[str], object],
        show: Callable[[Told], object] | None = None,
        beat: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            bundle: what answers.
            source: what is watched.
            sinks: where messages go.
            options: how.
            say: told what people should know, in one line.
            show: is given every picture.
            beat: called again and again while the watcher works.

        Raises:
            StorageError: clips cannot be written where they should go.
        """
        self.stages, self._show, self._beat = StageClock(), show, beat
        self._bundle, self._source, self._sinks, self._options, self._say = (
            bundle,
            source,
            sinks,
            options,
            say,
        )
        self._stop = Flag()
        self._manager = ServiceManager()
        self._frames, self._cpu_s = 0, 0.0
        self._newest_s: float | None = None
        self._clips = ClipKeeper(options.recording, source.shown, say)
        self._take_bundle()

    @property
    def interval_s(self) -> float:
        """Seconds between two pictures that are looked at."""
        return self._interval_s

    def stop(self) -> None:
        """End soon; may be called by a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Watch until the source ends, or `stop` is called.

        Raises:
            ClipError: the source is a file that cannot be used.
            BundleError: the head returns NaN; or the link to the bundle has been removed.
        """
        self._manager.ready()
        camera = self._opened()
        try:
            while not self._stop.is_set() and self._turn(camera):
                self._manager.alive()
                self._beat()
                camera = self._renewed(camera)
            self._end("stopped" if self._stop.is_set() else "source")
        finally:
            self._manager.stopping()
            self._close(camera)
            self._clips.close()
            for sink in self._sinks:
                sink.close(CLOSE_S)

    def _turn(self, camera: Camera) -> bool:
        """Take what has been told; False at the end."""
        self._forget_what_is_old()
        told = camera.next(TICK_S)
        if told is None:
            return True
        kind = told.header.kind
        self._hear_of_clip(told)
        if kind == "frame":
            self._look(camera, told)
        elif kind == "opened":
            self._state(camera, "connected")
        elif kind == "failed" and not self._source.is_live:
            raise ClipError(told.header.reason)
        elif kind in ("ended", "failed"):
            self._lose(camera, told.header.reason or f"{self._source.shown} has ended")
            return self._source.is_live
        return True

    def _look(self, camera: Camera, told: Told) -> None:
        self._frames += 1
        self._newest_s = told.header.taken_s
        self._count_decoding(told.header.cpu_s)
        if self._show:
            self._show(told)
        for found in self._windows.add(told):
            age_s = time.monotonic() - found.taken_s if self._source.is_live else 0.0
            if age_s <= self._window_s:
                self._answer(camera, found, age_s)

    def _count_decoding(self, cpu_s: float) -> None:
        """Each process that reads the source counts from 0."""
        since_s = self._cpu_s if cpu_s >= self._cpu_s else 0.0
        self.stages.add("decode", cpu_s - since_s)
        self._cpu_s = cpu_s

    def _answer(self, camera: Camera, found: WindowScores, age_s: float) -> None:
        scores = dict(zip(self._classifier.report.labels, map(float, found.scores), strict=True))
        answer = self._classifier.answer(found.scores)
        told = WindowAnswer(
            camera=self._source.shown,
            time_s=round(found.time_s, 3),
            told_at=_now(),
            label=None if answer.rejected else answer.label,
            best_guess=answer.label,
            score=round(answer.score, 4),
            scores={label: round(score, 4) for label, score in scores.items()},
            age_s=round(age_s, 3),
            dropped=camera.dropped,
        )
        self._send([told])
        self._last_clock_s = self._clock_s(found)
        self._clips.consider(told, self._last_clock_s)
        self._tell_events(self._last_clock_s, self._tracker.answer(self._last_clock_s, scores, age_s))

    def _clock_s(self, found: WindowScores) -> float:
        """Seconds on a clock that never jumps: of a file, which is read faster than it was taken, its own."""
        return found.taken_s if self._source.is_live else found.time_s

    def _forget_what_is_old(self) -> None:
        """Drop an answer on frames older than a window, and end an event without frames."""
        if self._newest_s is None or not self._source.is_live:
            return
        if time.monotonic() - self._newest_s > self._window_s:
            self._newest_s = None
            self._windows.clear()
            end_s = time.monotonic()
            self._tell_events(end_s, self._tracker.end(end_s, "source"))

    def _lose(self, camera: Camera, reason: str) -> None:
        self._windows.clear()
        self._newest_s = None
        end_s = time.monotonic() if self._source.is_live else self._last_clock_s
        self._tell_events(end_s, self._tracker.end(end_s, "source"))
        self._clips.adopt()
        self._state(camera, "lost" if self._source.is_live else "ended", reason)

    def _state(self, camera: Camera, state: StateName, reason: str = "") -> None:
        told = SourceState(
            camera=self._source.shown,
            state=state,
            told_at=_now(),
            reason=reason,
            frames=self._frames,
            dropped=camera.dropped,
            reconnects=camera.reconnects,
        )
        self._manager.status(f"{self._source.shown}: {state} {reason}".strip())
        self._send([told])

    def _end(self, reason: EndReason) -> None:
        self._tell_events(self._last_clock_s, self._tracker.end(self._last_clock_s, reason))

    def _tell_events(self, at_s: float, events: Iterable[Event]) -> None:
        for event in events:
            self._clips.follow(event, at_s)
            self._send([event])

    def _send(self, messages: Iterable[Message]) -> None:
        for message in messages:
            for sink in self._sinks:
                sink.send(message)

    def _renewed(self, camera: Camera) -> Camera:
        """Take a new bundle, if there is one; say why one is not taken.

        Raises:
            BundleError: the link to the bundle has been removed.
        """
        before = self._bundle.problem
        if self._bundle.is_new():
            return self._swap(camera)
        if gone := self._bundle.gone:
            self._end("bundle")
            raise BundleError(gone)
        if self._bundle.problem and self._bundle.problem != before:
            self._say(f"the new bundle is not loaded, and the old one stays in use: {self._bundle.problem}")
        return camera

    def _swap(self, camera: Camera) -> Camera:
        """Go on with the new bundle; a source that is looked at in other intervals is opened anew."""
        self._end("bundle")
        before_s = self._interval_s
        self._take_bundle()
        self._say(f"watching with {self._classifier.report.name}, a new bundle")
        if self._interval_s == before_s:
            return camera
        self._close(camera)
        return self._opened()

    def _opened(self) -> Camera:
        camera = Camera(self._source, self._interval_s, self._options.timeout_s, self._ring)
        self._clips.keep = camera.keep
        return camera

    def _close(self, camera: Camera) -> None:
        """End the reading, and hear what has become of its clips."""
        camera.close()
        while told := camera.next(0):
            self._hear_of_clip(told)

    def _hear_of_clip(self, told: Told) -> None:
        if told.header.kind == "clip":
            self._clips.told(told.header.clip, told.header.reason)

    def _take_bundle(self) -> None:
        classifier, options = self._bundle.classifier, self._options
        self._classifier: Classifier = classifier
        self._window_s = window_of(classifier, options.window_s)
        self._interval_s = self._window_s / classifier.report.sampling.frames
        self._windows = Windows(classifier, self._interval_s, options.hop_s, self.stages)
        on = options.on if options.on is not None else max(classifier.report.reject_below, 1e-6)
        off = options.off if options.off is not None else 0.8 * on
        rules = EventRules(on, off, options.least_s, options.update_s)
        self._tracker = EventTracker(self._source.shown, classifier.report.name, rules)
        self._last_clock_s = 0.0
        watched = WatchedWith(
            classifier.report.name, self._window_s, self._interval_s, options.least_s + options.hop_s, on
        )
        self._ring = self._clips.prepare(watched)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
