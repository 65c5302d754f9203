"""From answers to events: a state is taken up when it is sure for long enough, and given up likewise."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import uuid4

from reelflow.contracts import UNSURE
from reelflow.edge.events.model import Event

EndReason = Literal["score", "other", "source", "stopped", "bundle"]


@dataclass(frozen=True)
class EventRules:
    """When an event starts and ends.

    Attributes:
        on: score that a class needs to start.
        off: score below which it ends.
        least_s: how long another state must hold before it is taken up.
        update_s: between two messages of an event that goes on.
    """

    on: float
    off: float
    least_s: float
    update_s: float


@dataclass
class _Active:
    """An active event."""

    label: str
    began_s: float
    began_at: str
    score: float
    age_s: float
    id: str = field(default_factory=lambda: uuid4().hex)
    best_score: float = 0.0
    total: float = 0.0
    answers: int = 0
    told_s: float = 0.0

    def take(self, score: float, age_s: float) -> None:
        """One more answer."""
        self.score, self.age_s, self.best_score = score, age_s, max(self.best_score, score)
        self.total, self.answers = self.total + score, self.answers + 1


class EventTracker:
    """Turns answers into messages. Durations are of a clock that never jumps."""

    def __init__(
        self,
        camera: str,
        bundle: str,
        rules: EventRules,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing has been seen.

        Args:
            camera: name of the source.
            bundle: name of the bundle.
            rules: when events start and end.
            now: what the device believes the time to be.
        """
        self._camera, self._bundle, self._rules, self._now = camera, bundle, rules, now
        self._active: _Active | None = None
        self._other: tuple[str, float] | None = None  # a state that may be taken up, and since when

    def answer(self, at_s: float, scores: Mapping[str, float], age_s: float = 0.0) -> Iterator[Event]:
        """Take the next answer.

        Args:
            at_s: when it was given, on a clock that never jumps.
            scores: probability of every class.
            age_s: of the newest frame that it stands on.
        """
        state = self._state(scores)
        if self._active and state == self._active.label:
            self._other = None
        elif not self._other or self._other[0] != state:
            self._other = state, at_s
        if self._other and at_s - self._other[1] >= self._rules.least_s:
            since_s = self._other[1]
            yield from self.end(at_s, self._reason(state))
            yield self._start(state, since_s, at_s, scores, age_s)
        elif self._active:
            self._active.take(_score(self._active.label, scores), age_s)
            if at_s - self._active.told_s >= self._rules.update_s:
                yield self._message("update", at_s)

    def end(self, at_s: float, reason: EndReason) -> Iterator[Event]:
        """End the active event, if there is one."""
        if self._active:
            mean = self._active.total / self._active.answers
            yield self._message("end", at_s, reason).model_copy(update={"score": round(mean, 4)})
        self._active = self._other = None

    def _state(self, scores: Mapping[str, float]) -> str:
        """The class that is on, the one that is not yet off, or unsure."""
        best = max(scores, key=lambda label: scores[label])
        if scores[best] >= self._rules.on:
            return best
        active = self._active.label if self._active else UNSURE
        return active if scores.get(active, 0.0) >= self._rules.off else UNSURE

    def _reason(self, state: str) -> EndReason:
        return "score" if state == UNSURE else "other"

    def _start(
        self, state: str, since_s: float, at_s: float, scores: Mapping[str, float], age_s: float
    ) -> Event:
        began = self._now() - timedelta(seconds=at_s - since_s)
        self._active = _Active(state, since_s, _text(began), 0.0, age_s)
        self._active.take(_score(state, scores), age_s)
        return self._message("start", at_s)

    def _message(
        self, phase: Literal["start", "update", "end"], at_s: float, reason: EndReason | None = None
    ) -> Event:
        assert self._active
        self._active.told_s = at_s
        return Event(
            id=self._active.id,
            phase=phase,
            camera=self._camera,
            bundle=self._bundle,
            label=self._active.label,
            score=round(self._active.score, 4),
            best_score=round(self._active.best_score, 4),
            began_at=self._active.began_at,
            told_at=_text(self._now()),
            duration_s=round(at_s - self._active.began_s, 3),
            age_s=round(self._active.age_s, 3),
            reason=reason or "",
        )


def _score(label: str, scores: Mapping[str, float]) -> float:
    """Of a class its score; of unsure the best."""
    return scores[label] if label in scores else max(scores.values())


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
