"""The present state of a watched source: the watcher writes it, requests in other threads read it."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reelflow.edge.camera.wire import Told
from reelflow.edge.events.model import Event, Message, SourceState, WindowAnswer

STRIP_S = 300.0
BUCKET_S = 1.0
EVENTS = 20
LEAST_STALE_S = 2.0
MISSED_PICTURES = 3


class Picture(NamedTuple):
    """A picture of the source.

    Attributes:
        number: counts from 1.
        image: `(height, width, 3)`.
        taken_s: when, on the clock that never jumps.
    """

    number: int
    image: NDArray[np.uint8]
    taken_s: float


class Moment(NamedTuple):
    """One answer of the last minutes.

    Attributes:
        at_s: when it was given, on the clock that never jumps.
        label: None for unsure.
        score: of the best guess.
    """

    at_s: float
    label: str | None
    score: float


@dataclass(frozen=True)
class Snapshot:
    """A source at one moment.

    Attributes:
        camera: its name, without credentials.
        at_s: the moment, on the clock that never jumps.
        source: what it does; None before it is reached for the first time.
        frames: pictures so far.
        dropped: frames that came too fast.
        reconnects: connections that were made anew.
        frame_age_s: of the newest picture; None before the first.
        hop_s: between two answers.
        stale_s: age from which a picture is not live.
        unhealthy_s: age from which the source counts as lost.
        answer: the newest, None if it is not of now.
        answer_age_s: of the newest frame that it stands on.
        moments: of the last minutes, in order.
        events: the newest first.
        event_counts: that started, by label.
    """

    camera: str
    at_s: float
    source: SourceState | None
    frames: int
    dropped: int
    reconnects: int
    frame_age_s: float | None
    hop_s: float
    stale_s: float
    unhealthy_s: float
    answer: WindowAnswer | None
    answer_age_s: float | None
    moments: tuple[Moment, ...]
    events: tuple[Event, ...]
    event_counts: Mapping[str, int]

    @property
    def is_connected(self) -> bool:
        """Whether the source is being read."""
        return self.source is not None and self.source.state == "connected"


class Board:
    """Keeps the newest of everything, in bounded memory."""

    def __init__(
        self,
        camera: str,
        *,
        hop_s: float,
        timeout_s: float,
        interval_s: Callable[[], float],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is known.

        Args:
            camera: name of the source, without credentials.
            hop_s: between two answers.
            timeout_s: silence after which the source is opened anew.
            interval_s: between two pictures, now.
            now: the clock that never jumps.
        """
        self._camera, self._hop_s, self._timeout_s = camera, hop_s, timeout_s
        self._interval_s, self._now = interval_s, now
        self._lock = Lock()
        self._picture: Picture | None = None
        self._source: SourceState | None = None
        self._answer: WindowAnswer | None = None
        self._answered_s = 0.0
        self._dropped = 0
        self._moments: deque[Moment] = deque(maxlen=int(STRIP_S / BUCKET_S) + 1)
        self._events: dict[str, Event] = {}
        self._event_counts: Counter[str] = Counter()

    @property
    def picture(self) -> Picture | None:
        """The newest."""
        return self._picture

    def show(self, told: Told) -> None:
        """Take a picture."""
        assert told.image is not None
        number = self._picture.number + 1 if self._picture else 1
        self._picture = Picture(number, told.image, told.header.taken_s)

    def send(self, message: Message) -> None:
        """Take a message."""
        with self._lock:
            if isinstance(message, WindowAnswer):
                self._take_answer(message)
            elif isinstance(message, Event):
                self._take_event(message)
            else:
                self._source, self._dropped = message, message.dropped

    def snapshot(self) -> Snapshot:
        """What is known now."""
        with self._lock:
            now_s, picture, answer = self._now(), self._picture, self._answer
            stale_s = max(LEAST_STALE_S, MISSED_PICTURES * self._interval_s())
            answer_age_s = now_s - self._answered_s + answer.age_s if answer else None
            connected = self._source is not None and self._source.state == "connected"
            is_current = connected and answer_age_s is not None and answer_age_s <= self._hop_s + stale_s
            return Snapshot(
                camera=self._camera,
                at_s=now_s,
                source=self._source,
                frames=picture.number if picture else 0,
                dropped=self._dropped,
                reconnects=self._source.reconnects if self._source else 0,
                frame_age_s=max(now_s - picture.taken_s, 0.0) if picture else None,
                hop_s=self._hop_s,
                stale_s=stale_s,
                unhealthy_s=max(self._timeout_s, stale_s),
                answer=answer if is_current else None,
                answer_age_s=answer_age_s if is_current else None,
                moments=tuple(one for one in self._moments if now_s - one.at_s <= STRIP_S),
                events=tuple(reversed(self._events.values())),
                event_counts=dict(self._event_counts),
            )

    def _take_answer(self, answer: WindowAnswer) -> None:
        self._answer, self._answered_s, self._dropped = answer, self._now(), answer.dropped
        moment = Moment(self._answered_s, answer.label, answer.score)
        if self._moments and moment.at_s - self._moments[-1].at_s < BUCKET_S:
            moment = moment._replace(at_s=self._moments.pop().at_s)
        self._moments.append(moment)

    def _take_event(self, event: Event) -> None:
        self._event_counts[event.label] += event.phase == "start"
        self._events[event.id] = event
        if len(self._events) > EVENTS:
            del self._events[next(iter(self._events))]
