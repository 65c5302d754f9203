"""A clip while it is written: in as many files as its stream has parts."""

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal

from reelflow.edge.recording.clip_file import REFUSALS, SUFFIXES, ClipFile, format_of
from reelflow.edge.recording.orders import ClipOrder
from reelflow.edge.recording.ring import KeptPacket
from reelflow.edge.recording.shelf import Shelf, locked
from reelflow.files import temporary_path, write_text

LONGEST_FILE_S = 600.0
RESERVED_BYTES = 1_000_000  # of room, made again and again while a file grows


class ActiveClip:
    """Writes packets from the first keyframe on, until the clip's end.

    Attributes:
        order: what was asked.
        until_s: its end, once known.
        files: that are finished.
    """

    def __init__(self, order: ClipOrder, from_s: float | None = None) -> None:
        """Nothing is written yet; no frame before this moment is to be shown."""
        self.until_s, self.files = order.until_s, 0
        self.order, self._from_s = order, from_s
        self._note = Path(order.folder, f"{order.name}.json")
        self._shelf = Shelf(Path(order.folder), order.limit_bytes)
        self._file: ClipFile | None = None
        self._lock = ExitStack()
        self._room = 0

    def take(self, kept: KeptPacket) -> bool:
        """Write a packet; False once the clip has ended.

        Raises:
            REFUSALS: it is not taken.
        """
        if self.until_s is not None and kept.decoded_s > self.until_s:
            return self.close()
        if self._file and self._is_full(self._file, kept):
            self.close()
            if self.order.exact:
                return False
        if not self._file and kept.is_keyframe:
            self._begin(kept)
        if self._file:
            self._make_room(self._file.size_bytes)
            self._file.write(kept)
        return True

    def close(self) -> Literal[False]:
        """Finish the file, if there is one; the clip goes on no more.

        Raises:
            REFUSALS: it is not taken.
        """
        if not self._file:
            return False
        file, self._file = self._file, None
        with self._lock:
            file.close()
            self._shelf.publish(self._temporary, self._path)
        self.files += 1
        return False

    def abandon(self) -> None:
        """Keep what of the file can be played."""
        file, self._file = self._file, None
        with suppress(*REFUSALS), self._lock:
            if file:
                file.close()
        with suppress(OSError):
            self.files += self._shelf.adopt_one(self._temporary, self._path) is True
            if not self.files:
                self._note.unlink(missing_ok=True)

    def _is_full(self, file: ClipFile, kept: KeptPacket) -> bool:
        if kept.part is not file.part or file.size_bytes > self.order.limit_bytes / 2:
            return True
        long = kept.shown_s - file.from_s > LONGEST_FILE_S
        return kept.is_keyframe and (long or file.size_bytes > self.order.limit_bytes / 4)

    def _begin(self, first: KeptPacket) -> None:
        number = f"-{self.files + 1}" if self.files else ""
        suffix = SUFFIXES[format_of(first.part)]
        self._path = Path(self.order.folder, f"{self.order.name}{number}{suffix}")
        self._temporary = temporary_path(self._path)
        self._room = 0
        self._make_room(0)
        if self.order.note:  # first, so that it is there if the process is killed
            write_text(self._note, self.order.note)
        self._lock.enter_context(locked(self._temporary))
        self._file = ClipFile(self._temporary, first, self._from_s)

    def _make_room(self, size_bytes: int) -> None:
        if size_bytes >= self._room:
            step = min(RESERVED_BYTES, self.order.limit_bytes // 8)
            self._shelf.make_room(step)
            self._room = size_bytes + step
