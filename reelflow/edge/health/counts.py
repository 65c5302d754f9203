"""Counts of a watcher's answers in a day: only numbers, no pictures."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from reelflow.documents import Document
from reelflow.edge.events.model import WindowAnswer
from reelflow.errors import BundleError

BINS = 10
DAY_LENGTH = len("2026-01-31")
MOST_LABELS = 10_000
MOST_ANSWERS = 2**53
"""Of one count: what a float holds exactly, since shares are made of it."""
COUNTS, SERIES = "counts-*.json", "series"
MOST_SERIES_BYTES = 100
Count = Annotated[int, Field(ge=0, le=MOST_ANSWERS)]


class DayCounts(Document):
    """Answers of one watcher with one bundle in one day, by the device's clock, UTC.

    Attributes:
        labels: answers by label; those with too low a score count as the best guess.
        unsure: answers with too low a score.
        scores: answers by score, in ten equal ranges from 0 to 1.
        dropped: frames that came too fast.
    """

    day: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    bundle: str = Field(max_length=255)
    labels: dict[str, Count] = Field(default={}, max_length=MOST_LABELS)
    unsure: Count = 0
    scores: tuple[Count, ...] = Field(default=(0,) * BINS, min_length=BINS, max_length=BINS)
    dropped: Count = 0

    @property
    def answers(self) -> int:
        """All answers."""
        return sum(self.scores)

    def with_answer(self, answer: WindowAnswer, newly_dropped: int) -> Self:
        """With one more answer."""
        place = min(int(answer.score * BINS), BINS - 1)
        made = {
            "labels": self.labels | {answer.best_guess: self.labels.get(answer.best_guess, 0) + 1},
            "unsure": self.unsure + (answer.label is None),
            "scores": tuple(count + (place == number) for number, count in enumerate(self.scores)),
            "dropped": self.dropped + newly_dropped,
        }
        return self.model_copy(update=made)

    def with_counts(self, other: "DayCounts") -> Self:
        """With the answers of another watcher, or of another day."""
        names = self.labels.keys() | other.labels.keys()
        made = {
            "labels": {name: self.labels.get(name, 0) + other.labels.get(name, 0) for name in sorted(names)},
            "unsure": self.unsure + other.unsure,
            "scores": tuple(one + more for one, more in zip(self.scores, other.scores, strict=True)),
            "dropped": self.dropped + other.dropped,
        }
        return self.model_copy(update=made)


def counts_path(folder: Path, day: str, bundle: str) -> Path:
    """The file of a day and a bundle, in the folder of one watcher."""
    return folder / f"counts-{day}-{bundle}.json"


def series_of(folder: Path) -> str:
    """Which series of counts the folder of one watcher holds: another one after it was emptied."""
    try:
        with (folder / SERIES).open(encoding="utf-8", errors="replace") as file:
            found = file.read(MOST_SERIES_BYTES).strip()
    except OSError:
        return "0"
    return found if found.isalnum() else "0"


def read_counts(folders: Iterable[Path]) -> list[DayCounts]:
    """The counts in folders; those that can be read."""
    found = []
    for folder in folders:
        for path in sorted(folder.glob(COUNTS)):
            with suppress(BundleError):
                found.append(DayCounts.read(path))
    return found
