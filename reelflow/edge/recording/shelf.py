"""A folder of clips inside a size limit: the oldest go first, and nothing that is not a clip of it.

A clip is `CAMERA_YYYYMMDD_HHMMSS_WHAT_ID.mp4`, or `.mkv`, with `-2`, `-3` behind the id where a stream falls
into parts. It may have a note, `.json`, beside it. While it is written it has a temporary name and is locked;
one that nobody has locked was left by a process that was killed.
"""

import fcntl
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelflow.edge.recording.clip_file import cut_to_whole_boxes
from reelflow.errors import ClipError, disk_errors
from reelflow.files import TEMPORARY, UNFINISHED, temporary_path
from reelflow.video.decode import opened

CLIP = re.compile(r"(?P<name>.+_\d{8}_\d{6}_.*[0-9a-f]{32}(-\d+)?)\.(mp4|mkv|json)")
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.-]+")
LONGEST_BYTES = 60  # of the camera and of the label in a name


class _Shelved(NamedTuple):
    """A clip with its note."""

    changed_ns: int
    paths: tuple[Path, ...]
    size_bytes: int


def clip_name(camera: str, moment: datetime, what: str, identity: str) -> str:
    """A name that any file system takes; the dataset step groups clips of one camera by its time."""
    camera = _safe(camera.partition("://")[2] or Path(camera).name) or "camera"
    return "_".join(filter(None, (camera, f"{moment:%Y%m%d_%H%M%S}", _safe(what), identity)))


def _safe(text: str) -> str:
    return NOT_IN_NAMES.sub("-", text).strip("-.")[:LONGEST_BYTES]


class Shelf:
    """The clips in a folder, those of other processes included."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Nothing is looked at yet."""
        self._folder, self._limit_bytes = folder, limit_bytes

    def check(self) -> None:
        """Make the folder.

        Raises:
            StorageError: nothing can be written there.
        """
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            probe = temporary_path(self._folder / "probe")
            probe.touch()
            probe.unlink()

    def make_room(self, size_bytes: int) -> None:
        """Remove the oldest clips until so many bytes more fit; what is being written counts, and stays."""
        clips = sorted(self._clips())
        total = size_bytes + sum(clip.size_bytes for clip in clips)
        total += sum(_size(path) for path, _ in self._unfinished())
        for clip in clips:
            if total <= self._limit_bytes:
                return
            for path in clip.paths:
                path.unlink(missing_ok=True)
            total -= clip.size_bytes

    def publish(self, temporary: Path, path: Path) -> None:
        """Give a finished file its name, as the newest, even if the clock was set back."""
        newest_ns = max((clip.changed_ns for clip in self._clips()), default=0)
        if temporary.stat().st_mtime_ns <= newest_ns:
            os.utime(temporary, ns=(newest_ns + 1, newest_ns + 1))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # it survives a power cut
        temporary.replace(path)

    def adopt(self) -> tuple[int, int]:
        """Name or remove what killed processes have left; returns how many of each."""
        found = [self.adopt_one(*one) for one in list(self._unfinished())]
        return found.count(True), found.count(False)

    def adopt_one(self, temporary: Path, path: Path) -> bool | None:
        """Name the file if it can be played, else remove it; None if somebody writes it."""
        with suppress(OSError), locked(temporary):
            cut_to_whole_boxes(temporary)
            if is_played(temporary):
                self.publish(temporary, path)
                return True
            temporary.unlink(missing_ok=True)
            return False
        return None

    def _clips(self) -> Iterator[_Shelved]:
        found: defaultdict[str, list[Path]] = defaultdict(list)
        for path in self._folder.iterdir():
            if name := CLIP.fullmatch(path.name):
                found[name["name"]].append(path)
        for paths in found.values():
            with suppress(FileNotFoundError):  # another process has removed it
                facts = [path.stat() for path in paths]
                changed_ns = max(fact.st_mtime_ns for fact in facts)
                yield _Shelved(changed_ns, tuple(paths), sum(fact.st_size for fact in facts))

    def _unfinished(self) -> Iterator[tuple[Path, Path]]:
        """Temporary files of clips, and their names to be."""
        for path in self._folder.glob(TEMPORARY):
            found = UNFINISHED.fullmatch(path.name)
            if found and CLIP.fullmatch(found["name"]):
                yield path, path.with_name(found["name"])


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file: while its writer does, nobody takes it for left. A killed process holds none.

    Raises:
        OSError: another one holds it.
    """
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def is_played(path: Path) -> bool:
    """Whether a file begins with a keyframe that decodes."""
    try:
        with opened(path) as (container, stream):
            first = next(packet for packet in container.demux(stream) if packet.size)
            return first.is_keyframe and bool(stream.codec_context.decode(first) + _rest(stream))
    except (ClipError, StopIteration):
        return False


def _rest(stream: VideoStream) -> list[VideoFrame]:
    return stream.codec_context.decode(None)


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
