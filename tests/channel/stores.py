"""Stores of channels that behave as a test asks."""

from pathlib import Path

from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.interface import ObjectStore


class Mortal(DirectoryStore):
    """A store whose user is killed after some changes."""

    left = 10**9

    def put_new(self, name: str, path: Path) -> None:
        self._live()
        super().put_new(name, path)

    def replace(self, name: str, path: Path) -> None:
        self._live()
        super().replace(name, path)

    def delete(self, name: str) -> None:
        self._live()
        super().delete(name)

    def _live(self) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1


def mirror(store: ObjectStore, folder: Path) -> None:
    """Copy all objects, as a web server offers them."""
    for one in list(store.list()):
        assert store.get(one.name, folder / one.name)
