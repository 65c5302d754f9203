"""The note of a device about an uncertain clip; impossible values are refused."""

from dataclasses import dataclass
from datetime import datetime

import pydantic

from reelflow.edge.recording.keeper import UnsureNote
from reelflow.errors import ClipError

MOST_NOTE_BYTES = 65_536
MOST_SHOWN = 80


@dataclass(frozen=True)
class DeviceNote:
    """A note, fit to be shown: text of one line, without control characters.

    Attributes:
        score: of the best guess, from 0 to 1.
        began_at: ISO 8601.
    """

    camera: str
    began_at: str
    best_guess: str
    score: float


def parse_note(content: bytes) -> DeviceNote:
    """Read a note.

    Raises:
        ClipError: it is none, or says what cannot be.
    """
    if len(content) > MOST_NOTE_BYTES:
        raise ClipError(f"it has {len(content)} bytes, and a note has at most {MOST_NOTE_BYTES}")
    try:
        note = UnsureNote.model_validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"][:2])
        raise ClipError(_shown(f"it is not a note of a device: {where} {first['msg']}")) from error
    if not 0 <= note.score <= 1:
        raise ClipError(f"its score is {note.score:g}, expected 0 to 1")
    try:
        began_at = datetime.fromisoformat(note.began_at).isoformat(timespec="milliseconds")
    except ValueError as error:
        raise ClipError(_shown(f"it began at {note.began_at!r}, expected a time of ISO 8601")) from error
    return DeviceNote(_shown(note.camera), began_at, _shown(note.best_guess), note.score)


def _shown(text: str) -> str:
    """One short line: what prints, and single spaces."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= MOST_SHOWN else f"{line[: MOST_SHOWN - 1]}…"
