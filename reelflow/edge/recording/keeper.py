"""In the watching process: which clips are kept, asked for while the packets are still held."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from pydantic import Field

from reelflow.contracts import UNSURE
from reelflow.documents import Document
from reelflow.edge.events.model import Event, WindowAnswer
from reelflow.edge.recording.orders import ClipEndOrder, ClipOrder, RingOrder
from reelflow.edge.recording.shelf import Shelf, clip_name

RING_BYTES = 16_000_000
LATE_S = 2.0  # that an order may take, beyond the pictures that wait
LATE_PICTURES = 10  # that may wait
MB = 1_000_000
NEVER_BELOW = 1e-6  # what a bundle that rejects nothing starts events with
Keep = Callable[[ClipOrder | ClipEndOrder], object]


@dataclass(frozen=True)
class RecordOptions:
    """Which clips are kept.

    Attributes:
        record: folder for clips of events; None for none.
        before_s: before an event begins.
        after_s: after it has ended.
        record_mb: of all clips of events; the oldest go first.
        unsure: folder for windows of low confidence; None for none.
        unsure_mb: of all of them, likewise.
        unsure_below: score that is low; None for what starts an event.
        unsure_every_s: from one of them to the next, a window at least.
    """

    record: Path | None = None
    before_s: float = 5.0
    after_s: float = 5.0
    record_mb: float = 1000.0
    unsure: Path | None = None
    unsure_mb: float = 500.0
    unsure_below: float | None = None
    unsure_every_s: float = 60.0


@dataclass(frozen=True)
class WatchedWith:
    """What answers at the moment.

    Attributes:
        bundle: its name.
        window_s: of an answer.
        interval_s: between two looks.
        late_s: from the beginning of an event to its first message.
        on: score that starts an event.
    """

    bundle: str
    window_s: float
    interval_s: float
    late_s: float
    on: float


class UnsureNote(Document):
    """The note beside an unsure clip."""

    camera: str = Field(description="name of the source, without credentials")
    bundle: str = Field(description="name of the bundle that was unsure")
    began_at: str = Field(
        description="ISO 8601, UTC: of the first frame, as far as the device knows the time"
    )
    duration_s: float = Field(description="of the window")
    best_guess: str
    score: float = Field(description="of the best guess")
    scores: dict[str, float]
    unsure_below: float = Field(description="score under which windows were kept")


class ClipKeeper:
    """Follows events and answers; orders the clips that are asked for.

    Attributes:
        keep: takes the orders; what reads the source.
        kept: clips, so far.
        failed: clips that are not there, or not whole.
        problem: of the last one of these.
    """

    def __init__(self, options: RecordOptions, camera: str, say: Callable[[str], object]) -> None:
        """Prepare the folders; take or remove what a killed process has left there.

        Raises:
            StorageError: nothing can be written there.
        """
        self.keep: Keep = bool
        self.kept = self.failed = 0
        self.problem = ""
        self._options, self._camera, self._say = options, camera, say
        self._unsure_from_s: float | None = None
        limits = ((options.record, options.record_mb), (options.unsure, options.unsure_mb))
        self._shelves = [Shelf(folder, round(mb * MB)) for folder, mb in limits if folder]
        for shelf in self._shelves:
            shelf.check()
        self.adopt()

    def prepare(self, watched: WatchedWith) -> RingOrder | None:
        """Remember what answers; returns what the reading process must hold."""
        options, self._watched = self._options, watched
        self._below = watched.on if options.unsure_below is None else options.unsure_below
        if options.unsure and self._below <= NEVER_BELOW:
            self._say(
                f"{watched.bundle} has no threshold for unsure answers: --keep-unsure needs --unsure-below"
            )
        if not self._shelves:
            return None
        record_s = options.before_s + watched.late_s if options.record else 0.0
        unsure_s = watched.window_s if options.unsure else 0.0
        late_s = LATE_S + LATE_PICTURES * watched.interval_s
        return RingOrder(keep_s=max(record_s, unsure_s) + late_s, max_bytes=RING_BYTES)

    def follow(self, event: Event, at_s: float) -> None:
        """Keep the clip of an event, of which this is told at this moment; `unsure` is no event here."""
        options = self._options
        if options.record is None or event.label == UNSURE:
            return
        if event.phase == "start":
            began = datetime.fromisoformat(event.began_at)
            self.keep(
                ClipOrder(
                    id=event.id,
                    folder=str(options.record.absolute()),
                    name=clip_name(self._camera, began, event.label, event.id),
                    limit_bytes=round(options.record_mb * MB),
                    from_s=at_s - event.duration_s - options.before_s,
                )
            )
        elif event.phase == "end":
            self.keep(ClipEndOrder(id=event.id, until_s=at_s + options.after_s))

    def consider(self, answer: WindowAnswer, at_s: float) -> None:
        """Keep the window that ends at this moment, if its answer is unsure and none was kept lately."""
        options, watched = self._options, self._watched
        if options.unsure is None or answer.score >= self._below:
            return
        # frames are taken in the middle of their intervals: in training too
        until_s = at_s + watched.interval_s / 2
        from_s, every_s = until_s - watched.window_s, max(options.unsure_every_s, watched.window_s)
        if self._unsure_from_s is not None and from_s < self._unsure_from_s + every_s:
            return
        self._unsure_from_s = from_s
        began = datetime.now(UTC) - timedelta(seconds=answer.age_s + watched.window_s)
        self.keep(
            ClipOrder(
                id=(identity := uuid4().hex),
                folder=str(options.unsure.absolute()),
                name=clip_name(self._camera, began, "", identity),
                limit_bytes=round(options.unsure_mb * MB),
                from_s=from_s,
                until_s=until_s,
                exact=True,
                note=self._note(answer, began).to_json(),
            )
        )

    def told(self, clip: str, problem: str) -> None:
        """A clip has ended; or there is a problem with all of them. A problem is said when it is new."""
        if not problem:
            self.kept, self.problem = self.kept + 1, ""
            return
        self.failed += bool(clip)
        if problem != self.problem:
            self._say(f"a clip is not kept whole: {problem}" if clip else problem)
        self.problem = problem

    def adopt(self) -> None:
        """Take or remove what a killed process has left; what is being written stays."""
        for shelf in self._shelves:
            kept, removed = shelf.adopt()
            self.kept, self.failed = self.kept + kept, self.failed + removed

    def close(self) -> None:
        """Tell at the end what could not be kept."""
        self.adopt()
        if self.failed:
            self._say(
                f"clips: {self.kept} kept, {self.failed} not kept whole ({self.problem or 'cut short'})"
            )

    def _note(self, answer: WindowAnswer, began: datetime) -> UnsureNote:
        return UnsureNote(
            camera=self._camera,
            bundle=self._watched.bundle,
            began_at=began.isoformat(timespec="milliseconds"),
            duration_s=self._watched.window_s,
            best_guess=answer.best_guess,
            score=answer.score,
            scores=answer.scores,
            unsure_below=self._below,
        )
