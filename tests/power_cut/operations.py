"""What a program does to the files below a folder, as operations on files and on names in folders."""

from dataclasses import dataclass
from itertools import combinations

Name = tuple[int, str]
"""A name in a folder: the folder's number, and the name."""


@dataclass(frozen=True)
class Write:
    """Bytes of a file; `None` empties it."""

    file: int
    offset: int
    content: bytes | None


@dataclass(frozen=True)
class SetNames:
    """Names that change at once: what each stands for then, None for nothing."""

    names: tuple[tuple[Name, int | None], ...]

    @property
    def folders(self) -> set[int]:
        return {folder for (folder, _), _ in self.names}


@dataclass(frozen=True)
class Sync:
    """All that was written to a file, or all names of a folder, is on the disk."""

    number: int


Operation = Write | SetNames | Sync


def legal_losses(done: list[Operation]) -> list[tuple[Operation, ...]]:
    """What a disk may hold after a cut behind the last operation.

    Synced operations are there. Of the others all are, or none, one, all but one, or all but two.
    """
    unsynced = [number for number, one in enumerate(done) if not _is_synced(one, done[number + 1 :])]
    losses: list[set[int]] = [set(), set(unsynced)]
    losses += [{number} for number in unsynced]
    losses += [set(unsynced) - {number} for number in unsynced]
    losses += [set(pair) for pair in combinations(unsynced, 2)]
    found = {
        tuple(one for number, one in enumerate(done) if number not in lost and not isinstance(one, Sync))
        for lost in losses
    }
    return sorted(found, key=len, reverse=True)


def _is_synced(one: Operation, later: list[Operation]) -> bool:
    synced = {other.number for other in later if isinstance(other, Sync)}
    match one:
        case Write(file):
            return file in synced
        case SetNames():
            return one.folders <= synced
        case Sync():
            return True
