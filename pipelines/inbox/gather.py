"""Selects clips of an inbox for a sheet: the most uncertain first, cameras in turns."""

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from components.dataset.source.listing import list_names
from pipelines.inbox.notes import MOST_NOTE_BYTES, DeviceNote, parse_note
from reelflow.contracts import Rejected
from reelflow.errors import ClipError, DataError, disk_errors
from reelflow.files import files_below, sha256_text, shown_path
from reelflow.progress import track
from reelflow.settings import Settings
from reelflow.sources.address import S3Prefix, parse_source
from reelflow.sources.cache import Entry
from reelflow.sources.s3 import S3Origin

MOST_CLIP_BYTES = 500_000_000
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
MOST_NAME = 180
COPY_BYTES = 1 << 20
NOTES_AT_ONCE = 8
PASSING = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE)


class Inbox(Protocol):
    """Where devices have put clips.

    Attributes:
        entries: files, by name.
    """

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Files, by name."""

    def get(self, name: str, path: Path) -> None:
        """Copy a file to a path."""


@dataclass(frozen=True)
class WaitingClip:
    """A clip of the inbox that no sheet has yet."""

    origin: str
    identity: str
    note: DeviceNote | None

    @property
    def camera(self) -> str:
        """As its note says; else the beginning of its name."""
        return (self.note and self.note.camera) or PurePosixPath(self.origin).name.partition("_")[0]

    @property
    def safe_name(self) -> str:
        """A name of a file, whatever the device has called it."""
        name = NOT_IN_NAMES.sub("-", PurePosixPath(self.origin).name).lstrip("._-")
        stem, dot, suffix = name.rpartition(".")
        return f"{(stem or 'clip')[:MOST_NAME]}{dot}{suffix[:8]}" if dot else (name or "clip")[:MOST_NAME]


@dataclass
class Waiting:
    """What waits in an inbox.

    Attributes:
        clips: that no sheet has yet, in the order of showing.
        left: what is left out, with its identity.
        notes: of devices, that cannot be used.
    """

    clips: list[WaitingClip] = field(default_factory=list)
    left: list[tuple[Rejected, str]] = field(default_factory=list)
    notes: list[Rejected] = field(default_factory=list)


class FolderInbox:
    """A folder, with the folders in it; links are not followed: other programs write here."""

    def __init__(self, folder: Path) -> None:
        """List the files.

        Raises:
            DataError: there is no such folder.
        """
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder: name where devices' clips are, or s3://BUCKET/PREFIX")
        self._folder = folder
        self.entries: Mapping[str, Entry] = dict(self._listed())

    def _listed(self) -> Iterator[tuple[str, Entry]]:
        for path in files_below(self._folder):
            name = path.relative_to(self._folder).as_posix()
            try:
                found = path.lstat()
            except FileNotFoundError:  # a device removes the oldest
                continue
            size = found.st_size if stat.S_ISREG(found.st_mode) else None
            yield name, Entry(size, f"{shown_path(name)} {size} {found.st_mtime_ns}")

    def get(self, name: str, path: Path) -> None:
        """Copy a file to a path.

        Raises:
            ClipError: it cannot be read, is no file, or is too large; `may_pass` where this may change.
            StorageError: it cannot be written.
        """
        with _regular_file(self._folder / name) as given, disk_errors(path), path.open("wb") as taken:
            size_bytes = 0
            while part := _read(given):
                size_bytes += len(part)
                if size_bytes > MOST_CLIP_BYTES:
                    raise ClipError(_unfit(size_bytes))
                taken.write(part)


def _regular_file(source: Path) -> BinaryIO:
    """Open what other programs have put there: no link, no device, and nothing that waits for a writer."""
    with _unreadable():
        if not stat.S_ISREG(source.lstat().st_mode):
            raise ClipError("it is a link, a pipe or a device: only files are taken")
        file = os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ClipError("it is a link, a pipe or a device: only files are taken")
    return file


def _read(file: BinaryIO) -> bytes:
    with _unreadable():
        return file.read(COPY_BYTES)


@contextmanager
def _unreadable() -> Iterator[None]:
    """Turn an error of the operating system for one file into an error of this clip."""
    try:
        yield
    except OSError as error:
        refused = ClipError(f"it cannot be read: {error.strerror}")
        refused.may_pass = error.errno in PASSING
        raise refused from error


def open_inbox(source: str, settings: Settings) -> Inbox:
    """The inbox at an address.

    Raises:
        DataError: there is no such folder.
        StorageError: the server refuses or cannot be reached.
    """
    address = parse_source(source)
    return S3Origin(address, settings) if isinstance(address, S3Prefix) else FolderInbox(Path(source))


def waiting_clips(inbox: Inbox, known: frozenset[str], scratch: Path) -> Waiting:
    """The clips of an inbox that the sheet does not have yet.

    Args:
        inbox: where it lies.
        known: identities that sheets have, or have left out.
        scratch: folder for what is read on the way.

    Raises:
        StorageError: the store or the disk refuses.
    """
    waiting, listing = Waiting(), list_names(inbox.entries)
    names: list[str] = []
    shown = {shown_path(name): entry.identity for name, entry in inbox.entries.items()}
    waiting.left = [(one, shown[one.path]) for one in listing.rejected if shown[one.path] not in known]
    for name in listing.files:
        entry = inbox.entries[name]
        if entry.identity in known:
            continue
        if reason := _unfit(entry.size_bytes):
            waiting.left.append((Rejected(path=name, reason=reason), entry.identity))
            continue
        names.append(name)
    with ThreadPoolExecutor(NOTES_AT_ONCE) as pool:
        read = pool.map(lambda name: _note(inbox, name, scratch), names)
        for name, note in zip(names, track(read, len(names), "notes"), strict=True):
            if isinstance(note, Rejected):
                waiting.notes.append(note)
            known_note = note if isinstance(note, DeviceNote) else None
            waiting.clips.append(WaitingClip(name, inbox.entries[name].identity, known_note))
    waiting.clips = in_turns(waiting.clips)
    return waiting


def _note(inbox: Inbox, name: str, scratch: Path) -> DeviceNote | Rejected | None:
    """The note beside a clip, or why it cannot be used; None without a note."""
    beside = PurePosixPath(name).with_suffix(".json").as_posix()
    entry = inbox.entries.get(beside)
    if entry is None:
        return None
    path = scratch / f"{sha256_text(beside)}.json"
    try:
        if (entry.size_bytes or 0) > MOST_NOTE_BYTES:
            raise ClipError(f"it has {entry.size_bytes} bytes, and a note has at most {MOST_NOTE_BYTES}")
        inbox.get(beside, path)
        return parse_note(path.read_bytes())
    except ClipError as error:
        return Rejected(path=beside, reason=str(error))
    finally:
        path.unlink(missing_ok=True)


def in_turns(clips: Sequence[WaitingClip]) -> list[WaitingClip]:
    """The least certain clip of every camera, then the second ones, and so on; those without a score last."""
    order = sorted(
        clips, key=lambda clip: (clip.note is None, clip.note.score if clip.note else 0, clip.origin)
    )
    seen: Counter[str] = Counter()
    turns = {}
    for clip in order:
        turns[clip.origin] = seen[clip.camera]
        seen[clip.camera] += 1
    return sorted(order, key=lambda clip: turns[clip.origin])


def _unfit(size_bytes: int | None) -> str:
    if size_bytes == 0:
        return "it is empty: the device was cut off, or its disk was full"
    if size_bytes is not None and size_bytes > MOST_CLIP_BYTES:
        return (
            f"it has {size_bytes / 1e6:.0f} MB, and a kept window has at most {MOST_CLIP_BYTES / 1e6:.0f} MB"
        )
    return ""
