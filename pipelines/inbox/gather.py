"""What lies in an inbox, and what of it comes into a sheet: the most uncertain first, cameras in turns."""

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import pydantic

from components.dataset.source.listing import list_names
from reelflow.contracts import Rejected
from reelflow.edge.recording.keeper import UnsureNote
from reelflow.errors import ClipError, DataError, StorageError, disk_errors
from reelflow.files import files_below
from reelflow.settings import Settings
from reelflow.sources.address import S3Prefix, parse_source
from reelflow.sources.cache import Entry
from reelflow.sources.s3 import S3Origin

MOST_NOTE_BYTES = 65_536
MOST_CLIP_BYTES = 500_000_000
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
MOST_NAME = 180


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
    note: UnsureNote | None

    @property
    def camera(self) -> str:
        """As its note says; else the beginning of its name."""
        return self.note.camera if self.note else PurePosixPath(self.origin).name.partition("_")[0]

    @property
    def safe_name(self) -> str:
        """A name of a file, whatever the device has called it."""
        name = NOT_IN_NAMES.sub("-", PurePosixPath(self.origin).name).lstrip("._-")
        stem, dot, suffix = name.rpartition(".")
        return f"{(stem or 'clip')[:MOST_NAME]}{dot}{suffix[:8]}" if dot else (name or "clip")[:MOST_NAME]


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
            with disk_errors(path):
                found = path.lstat()
            if stat.S_ISREG(found.st_mode):
                name = path.relative_to(self._folder).as_posix()
                yield name, Entry(found.st_size, f"{name} {found.st_size} {found.st_mtime_ns}")

    def get(self, name: str, path: Path) -> None:
        """Copy a file to a path.

        Raises:
            ClipError: it is gone, is a link now, or this user may not read it.
            StorageError: it cannot be read or written.
        """
        source = self._folder / name
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            with os.fdopen(os.open(source, flags), "rb") as given, path.open("wb") as taken:
                while part := given.read(1 << 20):
                    taken.write(part)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP, errno.EACCES):
                raise ClipError(f"it is gone, a link, or not readable: {error.strerror}") from error
            raise StorageError(f"{source}: {error.strerror}") from error


def open_inbox(source: str, settings: Settings) -> Inbox:
    """The inbox at an address.

    Raises:
        DataError: there is no such folder.
        StorageError: the server refuses or cannot be reached.
    """
    address = parse_source(source)
    return S3Origin(address, settings) if isinstance(address, S3Prefix) else FolderInbox(Path(source))


def waiting_clips(
    inbox: Inbox, known: frozenset[str], scratch: Path
) -> tuple[list[WaitingClip], list[tuple[Rejected, str]]]:
    """The clips of an inbox that are not known yet, and what is left out, with its identity.

    Args:
        inbox: where they are.
        known: identities that sheets have, or have left out.
        scratch: folder for what is read on the way.
    """
    listing = list_names(inbox.entries)
    left = [(one, inbox.entries[one.path].identity) for one in listing.rejected if one.path in inbox.entries]
    found = []
    for name in listing.files:
        entry = inbox.entries[name]
        if entry.identity in known:
            continue
        if reason := _unfit(entry.size_bytes):
            left.append((Rejected(path=name, reason=reason), entry.identity))
            continue
        found.append(WaitingClip(name, entry.identity, _note(inbox, name, scratch)))
    return in_turns(found), [one for one in left if one[1] not in known]


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


def _note(inbox: Inbox, name: str, scratch: Path) -> UnsureNote | None:
    """What the device wrote beside a clip; None if there is nothing, or nothing that can be read."""
    beside = PurePosixPath(name).with_suffix(".json").as_posix()
    entry = inbox.entries.get(beside)
    if entry is None or (entry.size_bytes or 0) > MOST_NOTE_BYTES:
        return None
    path = scratch / "note.json"
    path.unlink(missing_ok=True)
    try:
        inbox.get(beside, path)
        return UnsureNote.model_validate_json(path.read_bytes())
    except (ClipError, pydantic.ValidationError):
        return None
