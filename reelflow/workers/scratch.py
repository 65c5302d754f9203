"""A bounded folder of files that can be fetched again; the least recently used go first."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

from reelflow.errors import StorageError

Loaded = TypeVar("Loaded")


class Scratch:
    """Keeps files within a size. Several threads may use it at once.

    Args:
        folder: where the files are; created at the first one.
        room_bytes: of all files together; 0 for no limit.
    """

    def __init__(self, folder: Path, room_bytes: int = 0) -> None:
        self._folder, self._room = folder, room_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def load(self, name: str, fetch: Callable[[Path], None], read: Callable[[Path], Loaded]) -> Loaded:
        """Read the file of this name, fetched if it is not here; others go if there is no room for it.

        A file that is open or mapped can be read to its end after it has gone.

        Args:
            name: of the file.
            fetch: writes it to a path.
            read: reads, opens or maps it.

        Raises:
            StorageError: this file alone is larger than the room.
        """
        path = self._folder / name
        with self._lock:
            if name not in self._sizes:
                self._folder.mkdir(parents=True, exist_ok=True)
                fetch(path)
                self._sizes[name] = path.stat().st_size
                self._make_room()
            self._sizes.move_to_end(name)
            return read(path)

    def _make_room(self) -> None:
        """Remove the least recently used files, but never the newest one."""
        while self._room and sum(self._sizes.values()) > self._room:
            if len(self._sizes) == 1:
                ((name, size),) = self._sizes.items()
                raise StorageError(
                    f"{name} has {size} bytes and there is room for {self._room} in {self._folder}: "
                    "give the task more scratch in infra/cluster.yaml, or use more frames.shards"
                )
            name, _ = self._sizes.popitem(last=False)
            (self._folder / name).unlink()
